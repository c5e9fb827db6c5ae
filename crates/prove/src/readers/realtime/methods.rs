//! Methods of places and of text.

use base::Value;
use policy::rtdb::lowered::{Condition, Method};

use super::place::{Place, keys, written};
use super::reader::{Meaning, Reader, Thing};
use crate::logic::{Formula, Kind as Logic, Need, Term, Test, Types};

impl Reader<'_> {
    fn value(&mut self, place: &Place) -> Term {
        place.value(&mut self.meanings.terms)
    }

    pub(super) fn method(
        &mut self,
        expr: &Condition,
        receiver: &Condition,
        method: Method,
        arguments: &[Condition],
    ) -> Meaning {
        let span = expr.span;
        let object = self.read(receiver);
        let Meaning::Value(Thing::Place(place)) = object else {
            return self.text_method(expr, &object, method, arguments);
        };
        let there = |reader: &mut Self, place: &Place| {
            let empty = Logic::Test(reader.value(place), Test::Equals(Value::Null));
            Logic::Not(Box::new(Formula::new(empty, span)))
        };
        let kind = match method {
            Method::Val => return Meaning::Value(Thing::Value(self.value(&place))),
            Method::Child | Method::HasChild => {
                let Some(argument) = arguments.first() else { return self.meanings.anything() };
                let child = self.child(&place, argument);
                match method {
                    Method::Child => return Meaning::Value(Thing::Place(child)),
                    _ => there(self, &child),
                }
            }
            Method::Parent => {
                let mut above = place;
                return match above.keys.pop() {
                    Some(_) => Meaning::Value(Thing::Place(above)),
                    None => self.meanings.anything(),
                };
            }
            Method::Exists => there(self, &place),
            Method::HasChildren if arguments.is_empty() => {
                Logic::Test(self.value(&place), Test::Is(Types::MAP))
            }
            Method::HasChildren => {
                let each = arguments.iter().map(|argument| {
                    let child = self.child(&place, argument);
                    Formula::new(there(self, &child), span)
                });
                Logic::And(each.collect())
            }
            Method::IsString => Logic::Test(self.value(&place), Test::Is(Types::TEXT)),
            Method::IsNumber => Logic::Test(self.value(&place), Test::Is(Types::NUMBER)),
            Method::IsBoolean => Logic::Test(self.value(&place), Test::Is(Types::BOOL)),
            _ => return self.meanings.anything(),
        };
        Meaning::condition(kind, span)
    }

    fn child(&mut self, place: &Place, argument: &Condition) -> Place {
        let mut child = place.clone();
        match self.read(argument) {
            Meaning::Constant(Value::String(path)) => child.keys.extend(written(keys(&path))),
            // A key of the path stands in names as it does in the path of a rule.
            other => {
                let key = self.meanings.key(&other);
                let name = key.strip_prefix("key ").filter(|name| self.here.iter().any(|key| key == name));
                match name {
                    Some(name) => child.keys.push((name.to_owned(), None)),
                    None => {
                        let term = self.meanings.term(&other);
                        let caller = term.is_some_and(|term| self.meanings.terms.about(term).caller);
                        // Marked as the caller's where it is.
                        let key = if caller { format!("[{key}]") } else { format!("({key})") };
                        child.keys.push((key, term));
                    }
                }
            }
        }
        child
    }

    fn text_method(
        &mut self,
        expr: &Condition,
        object: &Meaning,
        method: Method,
        arguments: &[Condition],
    ) -> Meaning {
        let meanings: Vec<Meaning> = arguments.iter().map(|argument| self.read(argument)).collect();
        let mut key = format!("{}.{}(", self.meanings.key(object), method.name());
        if method == Method::Matches {
            // The pattern is not among the arguments.
            let text = self.source.slice(expr.span);
            key.push_str(text.rsplit("matches").next().unwrap_or(text));
        }
        let mut needs: Vec<Need> = self.meanings.need(object, Types::TEXT).into_iter().collect();
        for meaning in &meanings {
            key.push_str(&format!("{},", self.meanings.key(meaning)));
            needs.extend(self.meanings.need(meaning, Types::TEXT));
        }
        let types = match method {
            Method::Replace | Method::ToLowerCase | Method::ToUpperCase => Types::TEXT,
            _ => Types::BOOL,
        };
        self.meanings.made(key, types, needs)
    }
}
