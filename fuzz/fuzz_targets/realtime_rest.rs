//! No URL makes reading a REST request panic; what is read as a path of data is one, and what is read as a query selects no
//! more than there is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use realtime::api::parameters::Parameters;
use realtime::api::rest::format::Format;
use realtime::api::rest::target::Target;
use realtime::model::{DEPTH_MAX, Path, decode_value};
use realtime::query::{Query, RestParameters};

fuzz_target!(|url: &str| {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    if let Ok(Target::Value(path) | Target::Priority(path)) = Target::read(path) {
        assert!(path.keys().len() <= DEPTH_MAX);
        assert_eq!(Path::parse(&path.to_string()), Ok(path));
    }
    let Ok(mut parameters) = Parameters::read(query) else { return };
    let _hidden = parameters.take_hidden_path();
    let _format = Format::read(&parameters);
    let get = |name| parameters.one(name).map(str::to_owned);
    let read = RestParameters {
        order_by: get("orderBy"),
        start_at: get("startAt"),
        start_after: get("startAfter"),
        end_at: get("endAt"),
        end_before: get("endBefore"),
        equal_to: get("equalTo"),
        limit_to_first: get("limitToFirst"),
        limit_to_last: get("limitToLast"),
    };
    let Ok(query) = Query::from_rest(&read) else { return };
    let node = decode_value(r#"{"a":{"n":1,".priority":2},"b":"x","10":true,"2":{"n":"y"}}"#, DEPTH_MAX);
    let node = node.ok().and_then(|draft| draft.resolve(0, None).ok()).flatten();
    let found = query.select(node.as_ref());
    let children = found.as_ref().map_or(0, |found| found.children().len());
    assert!(children <= 4 && query.limit.is_none_or(|limit| children as u64 <= u64::from(limit.count)));
});
