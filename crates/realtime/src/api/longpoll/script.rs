//! What a long-polling client is answered: scripts that call the page's functions. Pure, no I/O.
//!
//! A script is code in the client's page. Nothing of a request goes into it but digits and ids of our own; messages are
//! JSON, which is JavaScript once U+2028 and U+2029 are escaped.
//!
//! Source: `BrowserPollConnection.ts` of firebase-js-sdk.

use std::sync::Arc;

use bytes::Bytes;

/// Digits of the callbacks' number.
const CALLBACK_CHARS_MAX: usize = 20;

/// The number that the page gave its two callbacks: digits only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback(String);

impl Callback {
    /// `None`: it is no number, and perhaps a script.
    pub fn read(text: &str) -> Option<Self> {
        let is_number =
            (1..=CALLBACK_CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| Self(text.to_owned()))
    }
}

/// Defines the functions by which all later answers reach the page.
fn functions(Callback(callback): &Callback) -> String {
    format!(
        "function pLPCommand(c,a1,a2,a3,a4){{\
         parent.window[\"pLPCommand{callback}\"]&&parent.window[\"pLPCommand{callback}\"](c,a1,a2,a3,a4);}}\n\
         function pRTLPCB(pN,data){{\
         parent.window[\"pRTLPCB{callback}\"]&&parent.window[\"pRTLPCB{callback}\"](pN,data);}}\n"
    )
}

/// The answer to the first request of a session. Id and password are of our own making.
pub fn start(callback: &Callback, id: &str, password: &str, hello: &Arc<str>) -> Vec<Bytes> {
    let mut parts =
        vec![Bytes::from(format!("{}pLPCommand('start','{id}','{password}');\n", functions(callback)))];
    parts.extend(messages(0, std::slice::from_ref(hello)));
    parts
}

/// The answer to the first request of a client that gets no session: one message, and the end.
pub fn refused(callback: &Callback, message: &Arc<str>) -> Vec<Bytes> {
    let mut parts = vec![Bytes::from(functions(callback))];
    parts.extend(messages(0, std::slice::from_ref(message)));
    parts.push(Bytes::from_static(b"pLPCommand('close');\n"));
    parts
}

/// The answer with this number, gap-free. The messages are not copied.
pub fn messages(number: u64, messages: &[Arc<str>]) -> Vec<Bytes> {
    let mut parts = vec![Bytes::from(format!("pRTLPCB({number},["))];
    for (index, message) in messages.iter().enumerate() {
        if index > 0 {
            parts.push(Bytes::from_static(b","));
        }
        parts.push(literal(message));
    }
    parts.push(Bytes::from_static(b"]);\n"));
    parts
}

/// The end of a session, after the answer with this number where there is more to come.
pub fn close(last: Option<u64>) -> Vec<Bytes> {
    vec![match last {
        Some(last) => Bytes::from(format!("pLPCommand('close',{last});\n")),
        None => Bytes::from_static(b"pLPCommand('close');\n"),
    }]
}

/// The page in a hidden frame that reports when its window is closed. It repeats its own address, so nothing of the request is
/// written into it.
pub const DISCONNECT_PAGE: &str = "<!DOCTYPE html>\n<html><body><script>\n\
    function leave(){var u=location.pathname+location.search.replace('dframe=t','disconn=t');\
    if(navigator.sendBeacon&&navigator.sendBeacon(u))return;\
    var x=new XMLHttpRequest();x.open('GET',u,false);try{x.send();}catch(e){}}\n\
    window.addEventListener('pagehide',leave);\n\
    </script></body></html>\n";

/// JSON as an expression of JavaScript.
fn literal(json: &Arc<str>) -> Bytes {
    if json.contains(['\u{2028}', '\u{2029}']) {
        return Bytes::from(json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029"));
    }
    Bytes::from_owner(Text(Arc::clone(json)))
}

/// A shared text as shared bytes.
pub struct Text(pub Arc<str>);

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(parts: Vec<Bytes>) -> String {
        String::from_utf8(parts.concat()).unwrap()
    }

    #[test]
    fn scripts_are_what_the_sdk_runs() {
        let callback = Callback::read("7").unwrap();
        let hello: Arc<str> = r#"{"t":"c"}"#.into();
        assert_eq!(
            text(start(&callback, "id", "pw", &hello)),
            "function pLPCommand(c,a1,a2,a3,a4){parent.window[\"pLPCommand7\"]&&parent.window[\"pLPCommand7\"](c,a1,a2,a3,a4);}\n\
             function pRTLPCB(pN,data){parent.window[\"pRTLPCB7\"]&&parent.window[\"pRTLPCB7\"](pN,data);}\n\
             pLPCommand('start','id','pw');\n\
             pRTLPCB(0,[{\"t\":\"c\"}]);\n"
        );
        assert_eq!(text(messages(3, &[])), "pRTLPCB(3,[]);\n");
        assert_eq!(
            text(messages(4, &["1".into(), "\"a\u{2028}b\u{2029}\"".into()])),
            "pRTLPCB(4,[1,\"a\\u2028b\\u2029\"]);\n"
        );
        assert_eq!(text(close(None)), "pLPCommand('close');\n");
        assert_eq!(text(close(Some(9))), "pLPCommand('close',9);\n");
    }

    #[test]
    fn a_callback_is_digits_and_nothing_else() {
        for text in
            ["", "1;alert(1)", "1\"]", "-1", "1.5", "a", "1\u{2028}", "١", "123456789012345678901", " 1"]
        {
            assert_eq!(Callback::read(text), None, "{text:?}");
        }
        assert!(Callback::read("12345678901234567890").is_some());
    }
}
