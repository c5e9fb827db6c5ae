//! The entry for fuzzers and property tests: any text goes in, nothing panics, nothing runs long.

use base::{Fields, Value as Stored};

use crate::source::Source;

use super::{Environment, Inputs, Place, Type, Value, compile, limits, report};

/// Compiles a text with types and without, tells what is wrong, and evaluates it. Returns how often it gave a value.
pub fn any(text: &str) -> usize {
    let fields = Fields::from([
        ("a".to_owned(), Stored::Array(vec![Stored::Integer(1), Stored::String("é".to_owned())])),
        ("k".to_owned(), Stored::Map(Fields::from([("a".to_owned(), Stored::Double(f64::NAN))]))),
    ]);
    let stored = Stored::Map(fields);
    let value = Value::from_stored(&stored);
    let variables = [value.clone(), value.clone(), value.clone(), value, Value::Null].map(Some);
    let checked = Environment::data_connect(Place::Check, vec![("a".to_owned(), Type::Dyn)]);
    let unchecked = checked.clone().unchecked();
    let mut values = 0;
    for environment in [checked, unchecked] {
        let source = Source::new("<input>", text);
        let compiled = compile(source.clone(), &environment);
        report(&source, &compiled.diagnostics);
        let Some(program) = compiled.program else { continue };
        let inputs = Inputs { variables: &variables, supplied: None };
        let mut trace = None;
        let plain = program.evaluate(&inputs, &limits(), None);
        let observed = program.evaluate(&inputs, &limits(), Some(&mut trace));
        // A NaN is not equal to itself, but it is shown as itself.
        assert_eq!(
            format!("{:?}", plain.outcome),
            format!("{:?}", observed.outcome),
            "observing changes the value"
        );
        assert_eq!(plain.steps, observed.steps, "observing changes the steps");
        values += usize::from(plain.outcome.is_ok());
    }
    values
}
