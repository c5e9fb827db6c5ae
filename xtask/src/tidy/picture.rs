//! The picture in ARCHITECTURE.md is the floor plan that `floors` checks.
//!
//! The picture is the first block of the page. A line begins with the number of a floor, or continues the
//! floor above; two spaces separate what stands on it. A cell that is one word names a room, as does a cell
//! of nothing but names of rooms; all others describe.

use std::collections::BTreeMap;

use super::breach::Breach;
use super::repository::Repository;
use crate::floors;

const PAGE: &str = "ARCHITECTURE.md";

/// A room as the picture has it.
#[derive(Debug, PartialEq, Eq)]
struct Drawn<'a> {
    room: &'a str,
    floor: u8,
    line: usize,
}

/// Every room that is missing in the picture, or on another floor there.
pub fn check(repository: &Repository) -> Vec<Breach> {
    let rooms: BTreeMap<&str, Option<u8>> = repository
        .packages
        .iter()
        .filter(|package| package.member && !floors::is_outside(&package.name))
        .map(|package| (package.name.as_str(), floors::floor(&package.name)))
        .collect();
    let page = repository.texts.get(PAGE).map_or("", String::as_str);
    compare(&rooms, &read(page, |name| rooms.contains_key(name)))
}

fn compare(rooms: &BTreeMap<&str, Option<u8>>, drawn: &[Drawn]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut seen = BTreeMap::new();
    for Drawn { room, floor, line } in drawn {
        let message = match rooms.get(room) {
            None => format!("the picture shows `{room}`, which is no crate of the workspace: take it out"),
            Some(Some(planned)) if planned != floor => format!(
                "the picture shows `{room}` on floor {floor}, xtask/src/floors.rs has it on floor {planned}: \
                 make them agree"
            ),
            Some(None) => format!("`{room}` has no floor: give it one in xtask/src/floors.rs"),
            Some(_) => match seen.insert(*room, *line) {
                Some(first) => format!("the picture shows `{room}` twice, in line {first} already: keep one"),
                None => continue,
            },
        };
        seen.insert(room, *line);
        breaches.push(Breach::new(PAGE, *line, message));
    }
    for (room, floor) in rooms.iter().filter(|(room, _)| !seen.contains_key(*room)) {
        let floor = floor.map_or_else(|| "its floor".to_owned(), |floor| format!("floor {floor}"));
        let message = format!("the picture does not show `{room}`: draw it on {floor}");
        breaches.push(Breach::new(PAGE, drawn.first().map_or(1, |drawn| drawn.line), message));
    }
    breaches
}

/// The rooms in the page's first block.
fn read<'a>(page: &'a str, is_room: impl Fn(&str) -> bool) -> Vec<Drawn<'a>> {
    let mut drawn = Vec::new();
    let mut floor = None;
    let block = page
        .lines()
        .enumerate()
        .skip_while(|(_, line)| !line.starts_with("```"))
        .skip(1)
        .take_while(|(_, line)| !line.starts_with("```"));
    for (index, line) in block {
        let mut cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).peekable();
        if let Some(number) = cells.peek().and_then(|cell| cell.parse().ok()) {
            floor = Some(number);
            cells.next();
        }
        let Some(floor) = floor else { continue };
        for cell in cells {
            if !cell.contains(' ') || cell.split(' ').all(&is_room) {
                drawn.extend(cell.split(' ').map(|room| Drawn { room, floor, line: index + 1 }));
            }
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: &str = "# Architecture\n\n```\n\
                           2  policy        the policy core        kv   the store: ordered, with a feed\n\
                           1  identity firestore   the services\n\
                           \x20  storage      files\n\
                           0  base          values and their order\n\
                           ```\n\n```\n5  other\n```\n";

    const ROOMS: [(&str, Option<u8>); 6] = [
        ("policy", Some(2)),
        ("kv", Some(2)),
        ("identity", Some(1)),
        ("firestore", Some(1)),
        ("storage", Some(1)),
        ("base", Some(0)),
    ];

    fn found(rooms: &[(&str, Option<u8>)], page: &str) -> Vec<String> {
        let rooms = rooms.iter().copied().collect::<BTreeMap<_, _>>();
        let drawn = read(page, |name| rooms.contains_key(name));
        compare(&rooms, &drawn).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_picture_is_read() {
        let is_room = |name: &str| ROOMS.iter().any(|(room, _)| *room == name);
        let drawn: Vec<_> =
            read(PICTURE, is_room).iter().map(|drawn| (drawn.room, drawn.floor, drawn.line)).collect();
        // A cell of one word is read as a room even where it describes, and fails below.
        let expected = [
            ("policy", 2, 4),
            ("kv", 2, 4),
            ("identity", 1, 5),
            ("firestore", 1, 5),
            ("storage", 1, 6),
            ("files", 1, 6),
            ("base", 0, 7),
        ];
        assert_eq!(drawn, expected);
        assert_eq!(
            found(&ROOMS, PICTURE),
            ["ARCHITECTURE.md:6: the picture shows `files`, which is no crate of the workspace: take it out"]
        );
    }

    #[test]
    fn a_room_that_is_missing_or_elsewhere_is_a_breach() {
        let page = PICTURE.replace("files", "of files");
        assert_eq!(found(&ROOMS, &page), Vec::<String>::new());

        let mut rooms = ROOMS.to_vec();
        rooms.push(("access", Some(3)));
        assert_eq!(
            found(&rooms, &page),
            ["ARCHITECTURE.md:4: the picture does not show `access`: draw it on floor 3"]
        );
        let mut rooms = ROOMS.to_vec();
        rooms[1].1 = Some(3);
        assert_eq!(
            found(&rooms, &page),
            [
                "ARCHITECTURE.md:4: the picture shows `kv` on floor 2, xtask/src/floors.rs has it on floor 3: make them agree"
            ]
        );
        let twice = page.replace("base ", "base  kv ");
        assert_eq!(
            found(&ROOMS, &twice),
            [
                "ARCHITECTURE.md:7: the picture shows `kv` on floor 0, xtask/src/floors.rs has it on floor 2: make them agree"
            ]
        );
        let twice = page.replace("firestore ", "firestore  identity  ");
        assert_eq!(
            found(&ROOMS, &twice),
            ["ARCHITECTURE.md:5: the picture shows `identity` twice, in line 5 already: keep one"]
        );
    }
}
