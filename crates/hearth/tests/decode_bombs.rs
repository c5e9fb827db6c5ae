//! The real binary and small requests that decode to very much: they are refused, its memory stays within the documented
//! bound, others are served meanwhile, and what is large by right is taken.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests, too")]

mod running;

use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use running::{Running, project};

const ROOT: &str = "/v1/projects/p/databases/(default)/documents";
const NAME: &[u8] = b"projects/p/databases/(default)/documents/open/bomb";
const RULES: &str =
    "service cloud.firestore { match /databases/{d}/documents { match /open/{id} { allow read, write; } } }";
/// What the server's memory may come to at the default limits, in MiB: docs/production.md, "Limits at the door".
const MEMORY_MIB_MAX: usize = 1536;
/// For what is refused before anything is made of it.
const REFUSED_MIB_MAX: usize = 256;
const MIB: usize = 1 << 20;

impl Running {
    /// The most memory it has had.
    fn peak_mib(&self) -> usize {
        let status = format!("/proc/{}/status", self.child.id());
        let text = std::fs::read_to_string(Path::new(&status)).unwrap();
        let line = text.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
    }
}

/// Asks on a connection of its own: the HTTP status, gRPC's where there is one, the body.
async fn ask(port: u16, request: http::Request<Full<Bytes>>) -> (u16, String, Bytes) {
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    let status = parts.headers.get("grpc-status").or_else(|| trailers.get("grpc-status"));
    let status = status.map(|status| status.to_str().unwrap().to_owned()).unwrap_or_default();
    (parts.status.as_u16(), status, body.to_bytes())
}

async fn rest(port: u16, path: &str, body: impl Into<Bytes>) -> (u16, String) {
    let uri = format!("http://localhost{path}");
    let request = http::Request::builder().method("POST").uri(uri).header("content-type", "application/json");
    let (status, _, body) = ask(port, request.body(Full::new(body.into())).unwrap()).await;
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// Commits these writes, compressed; gRPC's status.
async fn commit(port: u16, writes: &[u8]) -> String {
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(&field(1, b"projects/p/databases/(default)")).unwrap();
    zipped.write_all(writes).unwrap();
    let zipped = zipped.finish().unwrap();
    let mut frame = vec![1];
    frame.extend(u32::try_from(zipped.len()).unwrap().to_be_bytes());
    frame.extend(zipped);
    let request = http::Request::builder()
        .method("POST")
        .uri("http://localhost/google.firestore.v1.Firestore/Commit")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-encoding", "gzip");
    ask(port, request.body(Full::new(frame.into())).unwrap()).await.1
}

fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = value.len();
    while length > 127 {
        out.push(u8::try_from(length & 127).unwrap() | 128);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap());
    out.extend_from_slice(value);
    out
}

/// A write of one document whose array holds this element so many times.
fn write(name: &[u8], element: &[u8], count: usize) -> Vec<u8> {
    let value = field(9, &element.repeat(count));
    let entry = [field(1, b"a"), field(2, &value)].concat();
    field(2, &field(1, &[field(1, name), field(2, &entry)].concat()))
}

fn map_of_one() -> Vec<u8> {
    let entry = [field(1, b"a"), field(2, &[0x58, 0])].concat();
    field(1, &field(6, &field(1, &entry)))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_decodes_to_too_much_is_refused_before_it_is_decoded() {
    let folder = project(RULES);
    let running = Running::serve(folder.path(), &[]);
    let port = running.port("serve");
    let bombs: Vec<Vec<u8>> =
        [map_of_one(), field(1, b""), field(1, &field(6, b"")), field(1, &field(9, &[0x0a, 0]))]
            .iter()
            .map(|element| write(NAME, element, (16 * MIB) / element.len()))
            .collect();
    let thrown: Vec<_> = (0..8)
        .map(|at| {
            let bomb = bombs[at % bombs.len()].clone();
            tokio::spawn(async move { commit(port, &bomb).await })
        })
        .collect();
    let small = write(NAME, &field(1, &[0x10, 1]), 3);
    for _ in 0..20 {
        assert_eq!(commit(port, &small).await, "0", "a small commit waits for large ones");
    }
    for bomb in thrown {
        assert_eq!(bomb.await.unwrap(), "8");
    }
    let deep = (0..40)
        .fold(vec![0x58, 0], |inner, _| field(6, &field(1, &[field(1, b"a"), field(2, &inner)].concat())));
    assert_eq!(commit(port, &write(NAME, &field(1, &deep), 1)).await, "3");
    let peak = running.peak_mib();
    assert!(peak <= REFUSED_MIB_MAX, "{peak} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_make_too_much_are_refused_too() {
    let folder = project(RULES);
    let running = Running::serve(folder.path(), &[]);
    let port = running.port("serve");
    let sign_in = "/identitytoolkit.googleapis.com/v1/accounts:signInWithPassword?key=k";
    let commit = format!("{ROOT}:commit");
    let name = String::from_utf8_lossy(NAME);
    let of = |element: &str| {
        let elements = format!("{element},").repeat(11 * MIB / (element.len() + 1));
        let document =
            format!(r#"{{"name":"{name}","fields":{{"a":{{"arrayValue":{{"values":[{elements}{{}}]}}}}}}}}"#);
        format!(r#"{{"writes":[{{"update":{document}}}]}}"#)
    };
    let cases = [
        (commit.as_str(), of("{}"), 429),
        (&commit, of(r#"{"mapValue":{"fields":{"a":{}}}}"#), 429),
        (&commit, of(r#"{"arrayValue":{"values":[{}]}}"#), 400),
        (&commit, "[".repeat(MIB), 400),
        (&commit, format!(r#"{{"writes":[{}{{}}]}}"#, "{},".repeat(5 * MIB)), 429),
        (sign_in, format!("[{}[]]", "[],".repeat(MIB)), 400),
        (sign_in, format!("[{}0]", r#"{"":0},"#.repeat(500 << 10)), 413),
        (sign_in, "[".repeat(MIB), 400),
    ];
    for (path, body, expected) in cases {
        let shown = body[..60].to_owned();
        let (status, answer) = rest(port, path, body).await;
        assert_eq!(status, expected, "{shown}: {}", &answer[..answer.len().min(200)]);
    }
    let peak = running.peak_mib();
    assert!(peak <= MEMORY_MIB_MAX, "{peak} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_large_by_right_is_taken_and_many_at_once_are_bounded() {
    let folder = project(RULES);
    let running = Running::serve(folder.path(), &[]);
    let port = running.port("serve");
    let number = field(1, &[0x10, 1]);
    let name = |at: usize| format!("projects/p/databases/(default)/documents/open/{at}").into_bytes();
    let numbers: Vec<u8> = (0..2).flat_map(|at| write(&name(at), &number, 130_000)).collect();
    let maps: Vec<u8> = (10..12).flat_map(|at| write(&name(at), &map_of_one(), 30_000)).collect();
    for (what, message) in [("numbers", &numbers), ("maps", &maps)] {
        assert_eq!(commit(port, message).await, "0", "{what}, {} bytes", message.len());
    }
    let thrown: Vec<_> = (0..4)
        .map(|_| {
            let maps = maps.clone();
            tokio::spawn(async move { commit(port, &maps).await })
        })
        .collect();
    for one in thrown {
        let status = one.await.unwrap();
        assert!(["0", "8"].contains(&status.as_str()), "{status}");
    }
    let peak = running.peak_mib();
    assert!(peak <= MEMORY_MIB_MAX, "{peak} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writes_of_one_large_document_hold_it_once() {
    let folder = project(RULES);
    let running = Running::serve(folder.path(), &[]);
    assert_eq!(commit(running.port("serve"), &write(NAME, &map_of_one(), 30_000)).await, "0");
    // Each changes another field and leaves the large one as it is.
    let masked = field(3, &field(1, b"b"));
    let entry = [field(1, b"b"), field(2, &[0x10, 1])].concat();
    let document = field(1, &[field(1, NAME), field(2, &entry)].concat());
    let writes = field(2, &[document, masked].concat()).repeat(500);
    assert_eq!(commit(running.port("serve"), &writes).await, "0");
    let peak = running.peak_mib();
    assert!(peak <= REFUSED_MIB_MAX, "{peak} MiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limits_are_the_operators() {
    let folder = project(RULES);
    let running = Running::serve(folder.path(), &["--message-memory", "4", "--decoded-memory", "16"]);
    let number = field(1, &[0x10, 1]);
    assert_eq!(commit(running.port("serve"), &write(NAME, &number, 100_000)).await, "8");
    assert_eq!(commit(running.port("serve"), &write(NAME, &number, 10_000)).await, "0");
}
