//! Requests of WebChannel as clients write them, and as no client does.

use wire::json;
use wire::v1;
use wire::webchannel::{Form, FormError, Map, Parameters, ParametersError, Purpose};

fn map(id: u64, message: &str) -> Map {
    Map { id, message: message.to_owned() }
}

#[test]
fn forms_are_read_as_clients_write_them() {
    for (body, headers, maps) in [
        ("", 0, vec![]),
        ("count=0", 0, vec![]),
        (
            "count=1&ofs=0&req0___data__=%7B%22a%22%3A%22b%20c%2Bd%C3%A9%22%7D",
            0,
            vec![map(0, r#"{"a":"b c+dé"}"#)],
        ),
        // Sent again with others: the base is lowered.
        ("count=2&ofs=3&req100___data__=a&req97___data__=b", 0, vec![map(103, "a"), map(100, "b")]),
        ("count=1&ofs=7&req0_type=_badmap", 0, vec![map(7, "")]),
        ("count=1&ofs=7&req0_x=1&req0___data__=m&req0_y=2", 0, vec![map(7, "m")]),
        ("headers=A%3A1%0D%0AB%3A%202%0D%0A&count=0", 2, vec![]),
        ("%24httpHeaders=A%3A1&count=0", 0, vec![]),
    ] {
        let form = Form::read(body.as_bytes()).unwrap();
        assert_eq!((form.headers.len(), form.maps), (headers, maps), "{body}");
    }
    let form = Form::read(b"headers=Authorization%3ABearer%20x.y%3Az%0D%0Ax-goog-api-key%3Ak%0D%0A&count=0")
        .unwrap();
    assert_eq!(form.header("authorization"), Some("Bearer x.y:z"));
    assert_eq!((form.header("X-Goog-Api-Key"), form.header("cookie")), (Some("k"), None));
}

#[test]
fn what_no_client_writes_is_refused() {
    let other = |announced, found| FormError::OtherCount { announced, found };
    for (body, error) in [
        ("count=1", other(1, 0)),
        ("req0___data__=x", other(0, 1)),
        ("count=99999&req0___data__=x", other(99_999, 1)),
        ("count=-1", FormError::BadNumber("count")),
        ("count=+1&req0___data__=x", FormError::BadNumber("count")),
        ("count=99999999999999999999", FormError::BadNumber("count")),
        ("count=1&ofs=9007199254740993&req0___data__=x", FormError::BadNumber("ofs")),
        ("count=1&ofs=9007199254740992&req1___data__=x", FormError::BadNumber("ofs")),
        ("count=2&req0___data__=x&req1___data__=y&req0___data__=z", FormError::BadNumber("req")),
        ("count=1&req0___data__=%FF", FormError::NotUtf8),
        ("headers=%FF", FormError::NotUtf8),
    ] {
        assert_eq!(Form::read(body.as_bytes()), Err(error), "{body}");
    }
    assert_eq!(Form::read(b"\xff"), Err(FormError::NotUtf8));
    let many = (0..1001).map(|n| format!("&req{n}___data__=x")).collect::<String>();
    assert!(matches!(Form::read(many.as_bytes()), Err(FormError::TooMany { what: "messages", .. })));
    let headers = format!("headers={}", "a%3Ab%0A".repeat(65));
    assert!(matches!(Form::read(headers.as_bytes()), Err(FormError::TooMany { what: "headers", .. })));
}

#[test]
fn queries_say_what_a_request_is_for() {
    let database = "database=projects%2Fp%2Fdatabases%2F(default)&zx=abc&t=1";
    let read = |query: &str, is_get| Parameters::read(&format!("{query}&{database}"), is_get);
    let opening = read("VER=8&RID=123&CVER=22&X-HTTP-Session-Id=gsessionid", false).unwrap();
    assert_eq!((opening.purpose, opening.wants_http_session), (Purpose::Open, true));
    let sending = read("VER=8&gsessionid=g&SID=s&RID=124&AID=7", false).unwrap();
    assert_eq!((sending.purpose, sending.received), (Purpose::Send, 7));
    assert_eq!((sending.session.as_str(), sending.http_session.as_str()), ("s", "g"));
    for (query, is_streaming, wait_ms) in
        [("CI=0", true, None), ("CI=1", false, None), ("CI=1&TO=5000", false, Some(5000))]
    {
        let receiving = read(&format!("VER=8&SID=s&RID=rpc&AID=-1&TYPE=xmlhttp&{query}"), true).unwrap();
        assert_eq!((receiving.purpose, receiving.received), (Purpose::Receive { is_streaming, wait_ms }, 0));
    }
    for is_get in [true, false] {
        assert_eq!(read("VER=8&SID=s&TYPE=terminate", is_get).unwrap().purpose, Purpose::Terminate);
    }
    for (query, is_get, error) in [
        ("VER=7", false, ParametersError::OtherVersion("7".to_owned())),
        ("VER=8&RID=rpc", true, ParametersError::NoSession),
        ("VER=8&TYPE=terminate", false, ParametersError::NoSession),
        ("VER=8&SID=s&AID=x", false, ParametersError::BadNumber("AID")),
        ("VER=8&SID=s&TO=1e9", true, ParametersError::BadNumber("TO")),
        ("VER=8&SID=%FF", false, ParametersError::BadText("SID")),
    ] {
        assert_eq!(read(query, is_get), Err(error), "{query}");
    }
    assert_eq!(read(&format!("SID={}", "x".repeat(257)), false), Err(ParametersError::BadText("SID")));
}

/// What the web SDK writes that other clients do not: numbers as numbers, names of targets, values of every kind.
#[test]
fn requests_of_the_web_sdk_are_read() {
    let request: v1::ListenRequest = json::read(
        br#"{"database":"projects/p/databases/(default)","addTarget":{"query":{"structuredQuery":{"from":[{"collectionId":"c"}],
        "where":{"unaryFilter":{"field":{"fieldPath":"a"},"op":"IS_NAN"}},"orderBy":[{"field":{"fieldPath":"__name__"},"direction":"ASCENDING"}],
        "limit":3},"parent":"projects/p/databases/(default)/documents"},"targetId":2,"expectedCount":5,"resumeToken":"AQ=="},
        "labels":{"goog-listen-tags":"existence-filter-mismatch"}}"#,
    )
    .unwrap();
    let Some(v1::listen_request::TargetChange::AddTarget(target)) = request.target_change else { panic!() };
    assert_eq!((target.target_id, target.expected_count), (2, Some(5)));
    let removal: v1::ListenRequest = json::read(br#"{"removeTarget":2}"#).unwrap();
    assert_eq!(removal.target_change, Some(v1::listen_request::TargetChange::RemoveTarget(2)));
    let values = r#"{"nullValue":"NULL_VALUE"},{"nullValue":null},{"nullValue":0},{"integerValue":"5"},{"integerValue":5},{"doubleValue":"-0"},
        {"doubleValue":"NaN"},{"doubleValue":"Infinity"},{"doubleValue":1.5},{"timestampValue":"2020-01-01T00:00:00.123456789Z"},
        {"timestampValue":"2020-01-01T00:00:00Z"},{"bytesValue":"-_8="},{"bytesValue":"+/8="},{"mapValue":{}},{"arrayValue":{}}"#;
    let text = format!(
        r#"{{"streamToken":"AA==","writes":[{{"update":{{"name":"n","fields":{{"f":{{"arrayValue":{{"values":[{values}]}}}}}}}},
        "updateMask":{{"fieldPaths":["f"]}},"updateTransforms":[{{"fieldPath":"t","setToServerValue":"REQUEST_TIME"}}],
        "currentDocument":{{"updateTime":"2020-01-01T00:00:00.1Z"}}}},{{"verify":"n","currentDocument":{{"exists":false}}}}]}}"#
    );
    let request: v1::WriteRequest = json::read(text.as_bytes()).unwrap();
    assert_eq!(request.writes.len(), 2);
    assert_eq!(request.writes[1].operation, Some(v1::write::Operation::Verify("n".to_owned())));
}
