//! Entry points for fuzzers and property tests: any text goes in, nothing panics, nothing runs long.

use std::sync::OnceLock;

use serde_json::{Map, Value as Json};

use crate::diagnostic::{Severity, Text};
use crate::operation::{Api, Native, Operations, Use};
use crate::schema::Schema;
use crate::sql::{self, Given};
use crate::{migration, sdk};

const SCHEMA: &str = r#"
enum Shelf { LOW HIGH }
type Reader @table(key: "uid") { uid: String! name: String @searchable big: Int64 }
type Book @table { title: String! shelf: Shelf tags: [String!] extra: Any at: Timestamp likeness: Vector @col(size: 2) sequelTo: Book }
type Loan @table(key: ["book", "reader"]) { book: Book! reader: Reader! until: Date! }
"#;

const OPERATIONS: &str = r#"
query Q($where: Book_Filter, $order: [Book_Order!], $n: Int, $key: Book_Key, $any: Any) @auth(level: PUBLIC) {
  books(where: $where, orderBy: $order, limit: $n, offset: $n) { id title loans_on_book(limit: $n) { until } }
  book(key: $key) { extra }
  _select(sql: "SELECT $1", params: [$any])
}
mutation M($data: [Book_Data!]! @allow(fields: "title shelf tags extra at likeness sequelToId")) @auth(level: PUBLIC) {
  book_insertMany(data: $data)
}
"#;

/// A text as a schema: diagnostics, or an API whose tables and files can be made.
pub fn schema(text: &str) {
    let text = Text::new("schema.gql", text);
    let (schema, diagnostics) = Schema::read(std::slice::from_ref(&text));
    if diagnostics.iter().any(|said| said.severity == Severity::Error) {
        return;
    }
    let _ = migration::create(&schema);
    let _ = Api::new(schema, &[text]);
}

fn api() -> Option<&'static Api> {
    static API: OnceLock<Option<Api>> = OnceLock::new();
    let made = API.get_or_init(|| {
        let text = Text::new("schema.gql", SCHEMA);
        let (schema, _) = Schema::read(std::slice::from_ref(&text));
        Api::new(schema, &[text]).ok()
    });
    made.as_ref()
}

/// A text as operations: diagnostics, or operations of which SDKs and statements can be made.
pub fn operations(text: &str) {
    let Some(api) = api() else { return };
    let (operations, _) = api.compile(&[Text::new("operations.gql", text)]);
    let target =
        sdk::Target { connector: "c", service: "s", location: "l", package: "p", react: true, cache: true };
    let _ = sdk::web(api, &operations, &target);
    for operation in operations.keys() {
        statements(api, &operations, operation, Map::new());
    }
}

/// A text as the variables of operations, as JSON: refused, or statements are made of them.
pub fn variables(text: &str) {
    static COMPILED: OnceLock<Operations> = OnceLock::new();
    let (Some(api), Ok(Json::Object(given))) = (api(), serde_json::from_str(text)) else { return };
    let operations = COMPILED.get_or_init(|| api.compile(&[Text::new("operations.gql", OPERATIONS)]).0);
    for operation in operations.keys() {
        statements(api, operations, operation, given.clone());
    }
}

/// A text as SQL of an operation. What is admitted stays one statement, whatever stands for its parameters.
pub fn native(text: &str) {
    for of in [Use::Select, Use::Execute, Use::Returning] {
        let Ok(native) = Native::read(text, of) else { continue };
        let renamed = native.query(&|number| format!("${number}"));
        debug_assert_eq!(Native::read(&renamed, of).as_ref(), Ok(&native));
        let _ = native.named("n", &|_| "NULL".to_owned());
    }
}

fn statements(api: &Api, operations: &Operations, name: &str, given: Map<String, Json>) {
    let Some(operation) = operations.get(name) else { return };
    let Ok(variables) = api.variables(operation, given) else { return };
    let given = Given {
        variables: &variables,
        expression: &|_| Ok(Json::Null),
        default: &|_| Ok(Json::Null),
        now: "2026-11-30T12:00:00Z",
    };
    for root in &operation.selection {
        let _ = sql::query(api.tables(), std::slice::from_ref(root), &given);
        let _ = sql::mutation(api.tables(), root, &given);
    }
}
