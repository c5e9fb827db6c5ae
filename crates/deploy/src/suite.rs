//! Test cases as clients write them, read into requests that rules can be asked.

pub mod run;

use base::{Fields, Status, Timestamp, Value};
use percent_encoding::percent_decode_str;
use policy::{DocumentPath, Method, Mock, MockResult, Service};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value as Json;

use crate::status;

/// Test cases of one call.
const CASES_MAX: usize = 2000;
/// Mocks of one test case.
const MOCKS_MAX: usize = 200;

/// What is asked of `:test`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestSuite {
    #[serde(default)]
    test_cases: Vec<TestCase>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TestCase {
    expectation: Option<String>,
    #[serde(default)]
    request: Json,
    #[serde(default)]
    resource: Json,
    #[serde(default)]
    function_mocks: Vec<FunctionMock>,
    path_encoding: Option<String>,
    expression_report_level: Option<String>,
}

#[derive(Debug, Deserialize)]
struct FunctionMock {
    function: String,
    #[serde(default)]
    args: Vec<Argument>,
    result: MockedResult,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Argument {
    ExactValue(Json),
    AnyValue(IgnoredAny),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum MockedResult {
    Value(Json),
    Undefined(IgnoredAny),
}

/// How much the result of a test says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The verdict, messages and calls.
    None,
    /// The conditions visited, too.
    Visited,
    /// The value of every expression, too.
    Full,
}

/// One case, ready to be decided.
#[derive(Debug)]
pub struct Case {
    /// Whether it is expected to be allowed.
    pub expects_allow: bool,
    /// Whose rules it is about.
    pub service: Service,
    /// What is done.
    pub method: Method,
    /// The database or the bucket.
    pub database: String,
    /// The path below it.
    pub path: Vec<String>,
    /// The user and the claims.
    pub auth: Option<(String, Fields)>,
    /// `request.time`
    pub time: Timestamp,
    /// What exists.
    pub resource: Option<Fields>,
    /// What would exist.
    pub new_resource: Option<Fields>,
    /// What functions give.
    pub mocks: Vec<Mock>,
    /// How much the result says.
    pub level: Level,
}

impl TestSuite {
    /// Reads every case; `now` is the time of those that give none.
    pub fn cases(self, now: Timestamp) -> Result<Vec<Case>, Status> {
        if self.test_cases.len() > CASES_MAX {
            return Err(status::too_many_cases(CASES_MAX));
        }
        let read = |(index, case): (usize, TestCase)| {
            case.read(now).map_err(|reason| status::bad_case(index, &reason))
        };
        self.test_cases.into_iter().enumerate().map(read).collect()
    }
}

impl TestCase {
    fn read(self, now: Timestamp) -> Result<Case, String> {
        let expects_allow = match self.expectation.as_deref() {
            Some("ALLOW") => true,
            Some("DENY") => false,
            other => return Err(format!("`expectation` is ALLOW or DENY, not `{}`", other.unwrap_or(""))),
        };
        let level = match self.expression_report_level.as_deref() {
            None | Some("LEVEL_UNSPECIFIED" | "NONE") => Level::None,
            Some("VISITED") => Level::Visited,
            Some("FULL") => Level::Full,
            Some(other) => return Err(format!("`expressionReportLevel` cannot be `{other}`")),
        };
        let encoded = match self.path_encoding.as_deref() {
            None | Some("ENCODING_UNSPECIFIED" | "URL_ENCODED") => true,
            Some("PLAIN") => false,
            Some(other) => return Err(format!("`pathEncoding` cannot be `{other}`")),
        };
        let text = |name: &str| self.request.get(name).and_then(Json::as_str);
        let method = text("method").unwrap_or_default();
        let method = Method::ALL.into_iter().find(|known| known.name() == method).ok_or_else(|| {
            format!("`request.method` is get, list, create, update or delete, not `{method}`")
        })?;
        let (service, database, path) = place(text("path").unwrap_or_default(), encoded)?;
        let time = match self.request.get("time") {
            None | Some(Json::Null) => now,
            Some(time) => time.as_str().and_then(|time| Timestamp::parse(time).ok()).ok_or_else(|| {
                format!("`request.time` is a time such as `2026-01-31T12:00:00Z`, not `{time}`")
            })?,
        };
        let auth = match self.request.get("auth") {
            None | Some(Json::Null) => None,
            Some(auth) => {
                let uid = auth.get("uid").and_then(Json::as_str).ok_or("`request.auth.uid` is missing")?;
                let token = auth.get("token").and_then(Json::as_object);
                Some((uid.to_owned(), token.map(|token| fields(service, token)).unwrap_or_default()))
            }
        };
        if self.function_mocks.len() > MOCKS_MAX {
            return Err(format!("`functionMocks` may have {MOCKS_MAX} entries"));
        }
        Ok(Case {
            expects_allow,
            service,
            method,
            database,
            path,
            auth,
            time,
            resource: resource(service, Some(&self.resource)),
            new_resource: resource(service, self.request.get("resource")),
            mocks: self.function_mocks.into_iter().map(FunctionMock::read).collect::<Result<_, _>>()?,
            level,
        })
    }
}

/// Whose path it is, and its parts. A slash that is encoded is part of its segment.
fn place(path: &str, encoded: bool) -> Result<(Service, String, Vec<String>), String> {
    let segments: Vec<String> = path
        .split('/')
        .skip(1)
        .map(|segment| match encoded {
            true => percent_decode_str(segment).decode_utf8_lossy().into_owned(),
            false => segment.to_owned(),
        })
        .collect();
    let (service, database, rest) = match &segments[..] {
        [databases, database, documents, rest @ ..]
            if databases == "databases" && documents == "documents" =>
        {
            (Service::Firestore, database, rest)
        }
        [b, bucket, o, rest @ ..] if b == "b" && o == "o" => (Service::Storage, bucket, rest),
        _ => {
            return Err(format!(
                "`request.path` is `/databases/DATABASE/documents/…` or `/b/BUCKET/o/…`, not `{path}`"
            ));
        }
    };
    Ok((service, database.clone(), rest.to_vec()))
}

/// In Firestore a resource has its fields in `data`, in Storage they are its own.
fn resource(service: Service, json: Option<&Json>) -> Option<Fields> {
    let own = json?.as_object()?;
    match service {
        Service::Storage => Some(fields(service, own)),
        Service::Firestore => Some(
            own.get("data").and_then(Json::as_object).map(|data| fields(service, data)).unwrap_or_default(),
        ),
    }
}

fn fields(service: Service, object: &serde_json::Map<String, Json>) -> Fields {
    object.iter().map(|(name, json)| (name.clone(), value(service, name, json))).collect()
}

/// Numbers without a fraction are integers. The times of Storage's metadata are timestamps.
fn value(service: Service, name: &str, json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Value::Double(number.as_f64().unwrap_or(f64::NAN)), Value::Integer)
        }
        Json::String(text) => match Timestamp::parse(text) {
            Ok(time) if service == Service::Storage && ["timeCreated", "updated"].contains(&name) => {
                Value::Timestamp(time)
            }
            _ => Value::String(text.clone()),
        },
        Json::Array(items) => Value::Array(items.iter().map(|item| value(service, "", item)).collect()),
        Json::Object(object) => Value::Map(fields(service, object)),
    }
}

impl FunctionMock {
    fn read(self) -> Result<Mock, String> {
        let short = self.function.strip_prefix("firestore.").unwrap_or(&self.function);
        if !["get", "exists", "getAfter", "existsAfter"].contains(&short) {
            return Err(format!("there is no function `{}` to mock", self.function));
        }
        let path = match &self.args[..] {
            [Argument::AnyValue(_)] => None,
            [Argument::ExactValue(Json::String(path))] => {
                let (service, database, segments) = place(path, true)?;
                if service != Service::Firestore {
                    return Err(format!("`{path}` is not a document's path"));
                }
                Some(DocumentPath::new(&database, segments))
            }
            _ => return Err(format!("`{}` takes one argument, a path", self.function)),
        };
        let result = match (self.result, short.starts_with("exists")) {
            (MockedResult::Undefined(_), _) => MockResult::Undefined,
            (MockedResult::Value(Json::Bool(exists)), true) => MockResult::Exists(exists),
            (MockedResult::Value(document @ Json::Object(_)), false) => {
                MockResult::Document(resource(Service::Firestore, Some(&document)).unwrap_or_default())
            }
            (MockedResult::Value(Json::Null), false) => MockResult::Undefined,
            (MockedResult::Value(other), _) => {
                return Err(format!("the result of `{}` cannot be `{other}`", self.function));
            }
        };
        Ok(Mock { function: short.to_owned(), path, result })
    }
}
