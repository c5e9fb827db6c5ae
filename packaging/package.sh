#!/usr/bin/env bash
# ./x package: what people install, in target/package: a tarball, a Debian package, an npm package, and a folder for
# `docker build`. Each is unpacked and started once.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target}"
out="$target/package"
version="$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)"
architecture="$(dpkg --print-architecture 2>/dev/null || uname -m)"
say() { printf '%s\n' "$*"; }

cargo build --profile dist -p hearth --locked
binary="$target/dist/hearth"
rm -rf "$out" && mkdir -p "$out"

completions() { # FOLDER
  mkdir -p "$1"
  "$binary" completions bash >"$1/hearth.bash"
  "$binary" completions zsh >"$1/_hearth"
  "$binary" completions fish >"$1/hearth.fish"
}

# A tarball.
name="hearth-$version-$architecture"
mkdir -p "$out/$name/docs"
cp "$binary" LICENSE README.md CHANGELOG.md SECURITY.md COMPATIBILITY.md packaging/hearth.service "$out/$name/"
cp docs/*.md "$out/$name/docs/"
completions "$out/$name/completions"
"$binary" man "$out/$name/man"
tar -C "$out" --owner=0 --group=0 -czf "$out/$name.tar.gz" "$name"

# A Debian package.
if command -v dpkg-deb >/dev/null; then
  tree="$out/deb"
  mkdir -p "$tree/DEBIAN" "$tree/usr/bin" "$tree/lib/systemd/system" "$tree/usr/share/doc/hearth"
  cp "$binary" "$tree/usr/bin/"
  cp packaging/hearth.service "$tree/lib/systemd/system/"
  cp LICENSE README.md CHANGELOG.md SECURITY.md COMPATIBILITY.md "$tree/usr/share/doc/hearth/"
  cp -r docs "$tree/usr/share/doc/hearth/docs"
  completions "$out/completions"
  install -Dm644 "$out/completions/hearth.bash" "$tree/usr/share/bash-completion/completions/hearth"
  install -Dm644 "$out/completions/_hearth" "$tree/usr/share/zsh/vendor-completions/_hearth"
  install -Dm644 "$out/completions/hearth.fish" "$tree/usr/share/fish/vendor_completions.d/hearth.fish"
  "$binary" man "$tree/usr/share/man/man1" && gzip -9n "$tree"/usr/share/man/man1/*.1
  cp packaging/postinst "$tree/DEBIAN/"
  cat >"$tree/DEBIAN/control" <<CONTROL
Package: hearth
Version: $version
Architecture: $architecture
Maintainer: The Hearth developers <hearth@localhost>
Depends: libc6 (>= 2.34), passwd
Section: database
Priority: optional
Description: server for Firebase apps
 Authentication and Cloud Firestore in one binary, for the unmodified Firebase SDKs.
CONTROL
  dpkg-deb --root-owner-group --build "$tree" "$out/hearth_${version}_$architecture.deb" >/dev/null
  rm -rf "$tree" "$out/completions"
fi

# An npm package.
if command -v npm >/dev/null; then
  cp -r packaging/npm "$out/npm" && mkdir -p "$out/npm/bin"
  cp "$binary" "$out/npm/bin/hearth"
  cp LICENSE README.md "$out/npm/"
  (cd "$out/npm" && npm pack --silent --pack-destination .. >/dev/null)
  rm -rf "$out/npm"
fi

# A folder for a container.
mkdir "$out/container" && cp "$binary" packaging/Containerfile "$out/container/"

# Each in a folder with nothing in it.
try() { # NAME COMMAND…
  local name="$1" folder
  shift
  folder="$(mktemp -d)"
  printf '{}' >"$folder/firebase.json"
  (cd "$folder" && "$@" exec -q --ports all=0 -- sh -c 'test -n "$FIRESTORE_EMULATOR_HOST"' 2>/dev/null) &&
    say "ok       $name" || { say "FAILED   $name"; failed=1; }
  rm -rf "$folder"
}
failed=0
room="$(mktemp -d)"
trap 'rm -rf "$room"' EXIT
tar -C "$room" -xzf "$out/$name.tar.gz"
try "$name.tar.gz" "$room/$name/hearth"
if [ -e "$out/hearth_${version}_$architecture.deb" ]; then
  dpkg-deb -x "$out/hearth_${version}_$architecture.deb" "$room/deb"
  try "hearth_${version}_$architecture.deb" "$room/deb/usr/bin/hearth"
fi
if [ -e "$out/hearth-server-$version.tgz" ]; then
  npm install --silent --prefix "$room/npm" "$(realpath "$out/hearth-server-$version.tgz")" >/dev/null
  try "hearth-server-$version.tgz" "$room/npm/node_modules/.bin/hearth"
fi
say "in $out"
exit "$failed"
