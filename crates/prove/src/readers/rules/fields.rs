//! Members of values: what `request`, `resource`, tokens and objects have, and what they have not.

use base::Value;
use policy::Span;

use super::oddity::{Oddity, Question};
use super::reader::{Condition, Meaning, Reader, Shaped};
use super::shapes::{Field, Shape};
use crate::logic::meaning::KEY_BYTES_MAX;
use crate::logic::{About, Need, Term, Types};

impl<'r> Reader<'r> {
    pub(super) fn member(
        &mut self,
        holder: &Meaning,
        name: &str,
        expr: &'r Condition,
        written: &Condition,
    ) -> Meaning {
        let Meaning::Value(Shaped(of, shape)) = *holder else {
            // A member of what is no value fails; why is told elsewhere.
            return match holder {
                Meaning::Constant(Value::Map(_)) => self.meanings.anything(),
                _ => Self::fails(expr.span),
            };
        };
        let (holders, types) = (Types::MAP.or(Types::PATH), self.meanings.types(holder));
        if !types.meets(holders) {
            return self.no_member(expr.span, Oddity::NoMembers { of: written.span, types });
        }
        if shape == Shape::Request && name == "method" {
            self.note(expr.span, Question::HasMember, None);
            return Meaning::Value(Shaped(self.method_of_request(), Shape::Other));
        }
        let Some(field) = shape.field(name, self.service) else {
            let odd = Oddity::NoMember { of: written.span, shape, name: name.to_owned() };
            return self.no_member(expr.span, odd);
        };
        self.note(expr.span, Question::HasMember, None);
        let about = self.field(of, name, &field);
        if about.key.len() > KEY_BYTES_MAX {
            return self.meanings.anything();
        }
        Meaning::Value(Shaped(self.meanings.terms.add(about), field.shape))
    }

    fn no_member(&mut self, span: Span, odd: Oddity) -> Meaning {
        self.note(span, Question::HasMember, Some(odd));
        Self::fails(span)
    }

    fn field(&self, of: Term, name: &str, field: &Field) -> About {
        let about = self.meanings.terms.about(of);
        let key = format!("{}.{name}", about.key);
        About {
            caller: about.caller,
            needs: vec![Need::Strict(of, Types::MAP.or(Types::PATH))],
            always: field.always,
            ..About::given(key, field.types)
        }
    }

    pub(super) fn index(&mut self, object: &Meaning, index: &Meaning) -> Meaning {
        if let (Meaning::Value(Shaped(of, shape)), Meaning::Constant(Value::String(name))) = (object, index)
            && *shape != Shape::Request
            && let Some(field) = shape.field(name, self.service)
        {
            let about = self.field(*of, name, &field);
            return Meaning::Value(Shaped(self.meanings.terms.add(about), field.shape));
        }
        let key = format!("{}[{}]", self.meanings.key(object), self.meanings.key(index));
        let holders = Types::MAP.or(Types::LIST).or(Types::TEXT).or(Types::PATH);
        let mut needs = self.meanings.needs([object], holders);
        needs.extend(self.meanings.need(index, Types::ANY));
        self.meanings.made(key, Types::ANY, needs)
    }
}
