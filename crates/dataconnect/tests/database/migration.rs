//! Databases that are brought from one schema to another.

use dataconnect::diagnostic::{Severity, Text};
use dataconnect::migration::{self, CATALOG, Catalog, Difference, difference};
use dataconnect::project::Validation;
use dataconnect::schema::Schema;

use crate::server::{Server, Session};

fn read(schema: &str) -> Schema {
    let (schema, diagnostics) = Schema::read(&[Text::new("schema.gql", schema)]);
    let errors: Vec<String> =
        diagnostics.iter().filter(|said| said.severity == Severity::Error).map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    schema
}

fn catalog(session: &mut Session, name: &str) -> Catalog {
    session.run("DEALLOCATE ALL").unwrap();
    session.run(&format!("PREPARE c AS {CATALOG}")).unwrap();
    let text = session.run(&format!("EXECUTE c('{name}')")).unwrap();
    Catalog::read(&text).unwrap_or_else(|why| panic!("{why}: {text}"))
}

/// As a server does it.
pub fn compared(session: &mut Session, schema: &Schema, mode: Validation) -> Difference {
    session.run("BEGIN").unwrap();
    for statement in migration::shape(schema) {
        session.run(&statement).unwrap_or_else(|why| panic!("{why:?}\n{statement}"));
    }
    let wanted = catalog(session, "pg_temp");
    session.run("ROLLBACK").unwrap();
    let found = catalog(session, "public");
    difference(schema, &wanted, &found, mode)
}

/// Applies a difference, or says which rows forbid it.
fn apply(session: &mut Session, difference: &Difference) -> Result<(), String> {
    for check in difference.all().filter_map(|step| step.check.as_ref()) {
        let count = session.run(&check.sql).unwrap_or_else(|why| panic!("{why:?}\n{}", check.sql));
        if count != "0" {
            return Err(format!("{count} {}", check.message));
        }
    }
    for step in &difference.before {
        session.run(&step.sql).unwrap_or_else(|why| panic!("{why:?}\n{}", step.sql));
    }
    session.run("BEGIN").unwrap();
    session.run(migration::LOCK).unwrap();
    for step in &difference.steps {
        session.run(&step.sql).unwrap_or_else(|why| panic!("{why:?}\n{}", step.sql));
    }
    session.run("COMMIT").unwrap();
    Ok(())
}

struct House {
    session: Session,
}

impl House {
    fn new(server: &Server, name: &str) -> Self {
        server.run("postgres", &format!("CREATE DATABASE {name}")).unwrap();
        Self { session: Session::new(server, name) }
    }

    fn run(&mut self, sql: &str) -> String {
        self.session.run(sql).unwrap_or_else(|why| panic!("{why:?}\n{sql}"))
    }

    fn migrate(&mut self, schema: &str, mode: Validation) -> Result<Difference, String> {
        let schema = read(schema);
        let first = compared(&mut self.session, &schema, mode);
        apply(&mut self.session, &first)?;
        let again = compared(&mut self.session, &schema, mode);
        assert!(again.is_empty(), "the second difference: {again:#?}\nafter {first:#?}");
        Ok(first)
    }
}

fn descriptions(difference: &Difference) -> Vec<&str> {
    difference
        .all()
        .map(|step| step.description.as_str())
        .filter(|said| !said.starts_with("records"))
        .collect()
}

const FIRST: &str = r#"
enum Shelf { LOW HIGH }
type Reader @table(key: "uid") { uid: String! name: String @unique email: String @col(dataType: "varchar(40)") }
type Book @table { title: String! @searchable text: String @searchable(language: "german") shelf: Shelf @default(value: LOW)
  tags: [String!] pages: Int @index made: Timestamp @default(sql: "now() + interval '1 day'") n: Int64 @col(dataType: "bigserial")
  extra: Any @default(value: {a: 1}) words: [String!] @default(value: ["a", "b"]) likeness: Vector @col(size: 3)
  day: Date @default(value: "2026-11-30") at: Timestamp @default(value: "2026-11-30T12:00:00Z") ratio: Float @default(value: 1.5) shelves: [Shelf!] @default(value: [LOW, HIGH]) }
type Loan @table(key: ["book", "reader"]) @index(fields: ["until", "book"], order: [DESC, ASC]) { book: Book! reader: Reader! until: Date! }
"#;

const SECOND: &str = r#"
enum Shelf { LOWEST LOW MIDDLE HIGH TOP }
type Reader @table(key: "uid") { uid: String! name: String! email: String joined: Date @index }
type Book @table { title: String! @searchable text: String shelf: Shelf @default(value: MIDDLE) tags: [String!] pages: Int64 @index
  made: Timestamp @default(sql: "now()") n: Int64 @col(dataType: "bigserial") sequelTo: Book
  extra: Any words: [String!] @default(value: ["c"]) likeness: Vector @col(size: 3) day: Date at: Timestamp ratio: Float shelves: [Shelf!] }
type Loan @table(key: ["book", "reader"]) { book: Book! reader: Reader! until: Date note: String! @default(value: "") }
type Fine @table { loan: Loan! cents: Int! }
"#;

/// Every kind of compatible change, on rows, with what others made beside it.
fn compatible(server: &Server) {
    let mut house = House::new(server, "migrated");
    let made = house.migrate(FIRST, Validation::Compatible).unwrap();
    assert!(!made.is_destructive());
    house.run("INSERT INTO reader (uid, name) VALUES ('a', 'Ann'), ('b', NULL)");
    house.run("INSERT INTO book (title, text, pages) VALUES ('the running dogs', 'die Häuser', 7)");
    house.run("CREATE TABLE theirs (x int NOT NULL)");
    house.run("CREATE INDEX theirs_idx ON book (title, pages)");
    house.run("CREATE INDEX theirs_partial ON book (title) WHERE pages > 3");
    house.run("ALTER TABLE reader ADD COLUMN theirs int DEFAULT 3, ADD COLUMN needed int");
    house.run("UPDATE reader SET needed = 1");
    house.run("ALTER TABLE reader ALTER COLUMN needed SET NOT NULL");
    house.run("CREATE VIEW their_view AS SELECT uid FROM reader");
    let refused = house.migrate(SECOND, Validation::Compatible).unwrap_err();
    assert_eq!(refused, "1 rows of `reader` have no `name`");
    house.run("UPDATE reader SET name = uid");
    let changed = house.migrate(SECOND, Validation::Compatible).unwrap();
    assert!(!changed.is_destructive(), "{changed:#?}");
    let said = descriptions(&changed);
    for part in [
        "adds `LOWEST` to the enum `shelf`",
        "changes `book.pages` from `integer` to `bigint`",
        "changes `reader.email` from `character varying(40)` to `text`",
        "`reader.name` must not be null",
        "`reader.needed` may be null: rows of the schema do not have it",
        "adds the column `sequel_to_id` to `book`",
        "creates the index `reader_joined_idx` on `reader`",
        "drops the index `reader_name_uidx` of `reader`",
        "creates the table `fine`",
        "makes what search looks at in `book`",
        "`loan.until` may be null",
        "drops the default of `book.extra`",
    ] {
        assert!(said.contains(&part), "{part}: {said:#?}");
    }
    let shelves = house.run("SELECT enum_range(NULL::shelf)");
    assert_eq!(shelves, "{LOWEST,LOW,MIDDLE,HIGH,TOP}");
    assert_eq!(house.run("SELECT count(*) FROM book WHERE _hearth_ts @@ to_tsquery('english', 'run')"), "1");
    // Nothing of others is gone.
    for sql in ["SELECT x FROM theirs", "SELECT theirs, needed FROM reader", "SELECT uid FROM their_view"] {
        house.run(sql);
    }
    let kept =
        house.run("SELECT count(*) FROM pg_indexes WHERE indexname IN ('theirs_idx', 'theirs_partial')");
    assert_eq!(kept, "2");
}

/// Strict drops what Hearth made and the schema no longer has, and nothing else.
fn strict(server: &Server) {
    let mut house = House::new(server, "strict");
    house.migrate(FIRST, Validation::Compatible).unwrap();
    house.run("CREATE TABLE theirs (x int)");
    house.run("ALTER TABLE reader ADD COLUMN theirs int");
    house.run("INSERT INTO book (title, shelf) VALUES ('a', 'HIGH')");
    let small = "enum Shelf { HIGH LOW }\ntype Reader @table(key: \"uid\") { uid: String! name: String }\ntype Book @table { title: String! shelf: Shelf }";
    let compatible = compared(&mut house.session, &read(small), Validation::Compatible);
    assert!(compatible.is_destructive(), "the enum's order changes");
    assert!(!descriptions(&compatible).iter().any(|said| said.starts_with("drops the table")));
    let changed = house.migrate(small, Validation::Strict).unwrap();
    assert!(changed.is_destructive());
    assert_eq!(house.run("SELECT enum_range(NULL::shelf)"), "{HIGH,LOW}");
    assert_eq!(house.run("SELECT shelf FROM book"), "HIGH");
    let left = house.run("SELECT string_agg(table_name || '.' || column_name, ' ' ORDER BY table_name, column_name) FROM information_schema.columns WHERE table_schema = 'public'");
    assert_eq!(left, "book.id book.shelf book.title reader.name reader.theirs reader.uid theirs.x");
    assert!(
        changed.notes.iter().any(|note| note.contains("`theirs` is not in the schema")),
        "{:#?}",
        changed.notes
    );
    assert_eq!(compared(&mut house.session, &read(FIRST), Validation::None), Difference::default());
}

/// What rows forbid is said before anything changes.
fn refused(server: &Server) {
    let mut house = House::new(server, "refused");
    house.migrate("type A @table { x: Int }", Validation::Compatible).unwrap();
    house.run("INSERT INTO a (x) VALUES (1), (1), (NULL)");
    for (schema, said) in [
        ("type A @table { x: Int! }", "1 rows of `a` have no `x`"),
        ("type A @table { x: Int @unique }", "1 values of `x` in `a` occur more than once"),
        (
            "type A @table { x: Int y: String! }",
            "3 rows of `a` would have no `y`: give the field a `@default`, or make it nullable first",
        ),
    ] {
        assert_eq!(house.migrate(schema, Validation::Compatible).unwrap_err(), said);
    }
    let renamed = compared(&mut house.session, &read("type A @table { y: Int }"), Validation::Compatible);
    assert!(renamed.notes.iter().any(|note| note.contains("@col(name: \"x\")")), "{:#?}", renamed.notes);
    let key =
        compared(&mut house.session, &read("type A @table(key: \"x\") { x: Int! }"), Validation::Compatible);
    assert!(key.is_destructive());
}

/// A database as the official emulator makes it is not touched.
fn official(server: &Server) {
    let mut house = House::new(server, "official");
    house.run(
        "CREATE FUNCTION uuid_generate_v4() RETURNS uuid LANGUAGE sql AS 'SELECT gen_random_uuid()';
         CREATE TABLE movie (id uuid DEFAULT uuid_generate_v4() NOT NULL CONSTRAINT movie_pkey PRIMARY KEY, title text NOT NULL);
         CREATE TABLE review (id uuid DEFAULT uuid_generate_v4() NOT NULL CONSTRAINT review_pkey PRIMARY KEY, movie_id uuid NOT NULL
           CONSTRAINT review_movie_id_fkey REFERENCES movie ON DELETE CASCADE, created_at timestamp with time zone NOT NULL);
         CREATE INDEX another_name ON review (movie_id)",
    );
    let schema = "type Movie @table { title: String! }\ntype Review @table { movie: Movie! createdAt: Timestamp! @default(expr: \"request.time\") }";
    let found = compared(&mut house.session, &read(schema), Validation::Strict);
    assert!(found.is_empty(), "{found:#?}");
}

pub fn run(server: &Server) {
    compatible(server);
    strict(server);
    refused(server);
    official(server);
}
