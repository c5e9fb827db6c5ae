//! Rules as strict JSON: without comments and trailing commas, and with the line breaks that rules may have inside of texts
//! escaped. Pure, no I/O.

use serde_json::Value as Json;

/// The JSON that a text of rules stands for; `None` where it is none even then.
pub fn read(text: &str) -> Option<Json> {
    serde_json::from_str(&plain(text)).ok()
}

fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    // A comma that waits for something to follow.
    let mut comma = false;
    while let Some(character) = rest.next() {
        match character {
            '/' if rest.peek() == Some(&'/') => {
                while rest.next_if(|&c| c != '\n').is_some() {}
                continue;
            }
            '/' if rest.peek() == Some(&'*') => {
                let mut last = ' ';
                for c in rest.by_ref().skip(1) {
                    if last == '*' && c == '/' {
                        break;
                    }
                    last = c;
                }
                continue;
            }
            ',' => {
                comma = true;
                continue;
            }
            c if c.is_whitespace() => continue,
            _ => {}
        }
        if std::mem::take(&mut comma) && !matches!(character, '}' | ']') {
            plain.push(',');
        }
        plain.push(character);
        if character == '"' {
            take_text(&mut rest, &mut plain);
        }
    }
    plain
}

/// The rest of a text, its end included.
fn take_text(rest: &mut impl Iterator<Item = char>, plain: &mut String) {
    while let Some(character) = rest.next() {
        match character {
            '\\' => {
                plain.push(character);
                plain.extend(rest.next());
            }
            '\n' => plain.push_str("\\n"),
            '\r' => plain.push_str("\\r"),
            '\t' => plain.push_str("\\t"),
            '"' => return plain.push(character),
            _ => plain.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn comments_and_line_breaks_go() {
        let text = "{\n  // who may\n  \"rules\": { /* all, \"of\" it **/ \".read\": \"auth != null // no\n && \\\"x\\\" == 'a,}'\",\n },\n}";
        assert_eq!(
            read(text),
            Some(json!({ "rules": { ".read": "auth != null // no\n && \"x\" == 'a,}'" } }))
        );
        assert_eq!(
            read("{\"rules\":{\"a\":{\".indexOn\":[\"b\", \"c\",]}}}"),
            Some(json!({ "rules": { "a": { ".indexOn": ["b", "c"] } } }))
        );
        for broken in ["{ rules", "", "/*", "\"a", "//"] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }
}
