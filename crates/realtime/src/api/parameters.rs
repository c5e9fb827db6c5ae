//! What follows the question mark of an URL: names and values, decoded, in order.

use percent_encoding::percent_decode;

/// Parameters in one request. A long poll has three for each segment.
const PARAMETERS_MAX: usize = 1_000;
/// Where the CLI hides a path behind a namespace: everything after `ns=` is one value for it.
const HIDDEN: &str = "/.settings/";

/// Why an URL cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// There are too many.
    #[error("the URL has more than {PARAMETERS_MAX} parameters")]
    TooMany,
    /// Percent-encoding that is no UTF-8.
    #[error("the URL has a parameter that is not UTF-8")]
    NotText,
}

/// Names and values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads an URL's query.
    pub fn read(query: &str) -> Result<Self, ParameterError> {
        let mut parameters = Self::default();
        parameters.extend(query)?;
        Ok(parameters)
    }

    fn extend(&mut self, query: &str) -> Result<(), ParameterError> {
        for part in query.split('&').filter(|part| !part.is_empty()) {
            if self.0.len() == PARAMETERS_MAX {
                return Err(ParameterError::TooMany);
            }
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            self.0.push((decode(name)?, decode(value)?));
        }
        Ok(())
    }

    /// The value of a parameter; of one that is repeated, the first.
    pub fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter is `true`.
    pub fn is_true(&self, name: &str) -> bool {
        self.one(name) == Some("true")
    }

    /// The path that the CLI hid behind the namespace, which is cut off there: on a loopback address it asks for
    /// `PUT /?ns=NAME/.settings/rules.json?dryRun=true`.
    pub fn take_hidden_path(&mut self) -> Result<Option<String>, ParameterError> {
        let Some((_, namespace)) = self.0.iter_mut().find(|(name, _)| name == "ns") else { return Ok(None) };
        let Some(at) = namespace.find(HIDDEN) else { return Ok(None) };
        let hidden = namespace.split_off(at);
        let (path, query) = hidden.split_once('?').unwrap_or((&hidden, ""));
        self.extend(query)?;
        Ok(Some(path.to_owned()))
    }
}

fn decode(text: &str) -> Result<String, ParameterError> {
    let plain: Vec<u8> = text.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }).collect();
    let decoded = percent_decode(&plain).decode_utf8();
    Ok(decoded.map_err(|_| ParameterError::NotText)?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_decoded() {
        let read = Parameters::read("orderBy=%22a%20b%22&&shallow&x=1&x=2&%C5%BE=+%2B").unwrap();
        assert_eq!(read.one("orderBy"), Some("\"a b\""));
        assert_eq!(read.one("shallow"), Some(""));
        assert_eq!((read.one("x"), read.one("ž"), read.one("y")), (Some("1"), Some(" +"), None));
        assert_eq!(Parameters::read("a=%FF"), Err(ParameterError::NotText));
        assert_eq!(Parameters::read(&"a&".repeat(PARAMETERS_MAX + 1)), Err(ParameterError::TooMany));
    }

    #[test]
    fn the_cli_hides_a_path_behind_the_namespace() {
        for (query, path, dry_run) in [
            ("ns=app/.settings/rules.json?dryRun=true", "/.settings/rules.json", true),
            ("ns=app%2F.settings%2Frules.json%3FdryRun%3Dtrue", "/.settings/rules.json", true),
            ("ns=app/.settings/rules.json", "/.settings/rules.json", false),
        ] {
            let mut read = Parameters::read(query).unwrap();
            assert_eq!(read.take_hidden_path().unwrap().as_deref(), Some(path), "{query}");
            assert_eq!((read.one("ns"), read.is_true("dryRun")), (Some("app"), dry_run), "{query}");
        }
        let mut read = Parameters::read("ns=app&x=/.settings/").unwrap();
        assert_eq!(read.take_hidden_path().unwrap(), None);
    }
}
