//! Operators on two values.

use base::Value;
use policy::Span;
use policy::ir::Binary;

use super::oddity::{Oddity, Question};
use super::reader::{Meaning, Reader};
use crate::logic::{Formula, Kind as Logic, Order, Test, Types};

impl Reader<'_> {
    pub(super) fn binary(&mut self, op: Binary, span: Span, one: &Meaning, two: &Meaning) -> Meaning {
        if let Some(order) = Order::of(op) {
            return self.ordered(order, span, one, two);
        }
        match op {
            Binary::Equal => Meaning::condition(self.equal(span, one, two, true), span),
            Binary::NotEqual => {
                let equal = Formula::new(self.equal(span, one, two, false), span);
                Meaning::condition(Logic::Not(Box::new(equal)), span)
            }
            Binary::In => self.contained(span, one, two),
            _ => self.computed(op, span, one, two),
        }
    }

    fn equal(&mut self, span: Span, one: &Meaning, two: &Meaning, positive: bool) -> Logic {
        let (left, right) = (self.meanings.types(one), self.meanings.types(two));
        let numbers = left.meets(Types::NUMBER) && right.meets(Types::NUMBER);
        let null = left == Types::NULL || right == Types::NULL;
        let constants = one.constant().is_some() && two.constant().is_some();
        // `uid != null` fails where nobody is signed in, which is what it is for.
        let odd = !left.meets(right) && !numbers && (positive || !null) && !constants;
        self.note(span, Question::CanBeEqual, odd.then_some(Oddity::Unlike { left, right }));
        self.meanings.equal(one, two)
    }

    fn ordered(&mut self, order: Order, span: Span, one: &Meaning, two: &Meaning) -> Meaning {
        let comparable = Types::NUMBER.or(Types::TEXT).or(Types::BYTES).or(Types::TIME).or(Types::SPAN);
        let (left, right) = (self.meanings.types(one), self.meanings.types(two));
        let (a, b) = (left.and(comparable), right.and(comparable));
        let fits = a.meets(b) || a.meets(Types::NUMBER) && b.meets(Types::NUMBER);
        let odd = (!fits).then_some(Oddity::NoOrder { left, right });
        if self.note(span, Question::TakesOperands, odd) {
            return Self::fails(span);
        }
        match self.meanings.ordered(order, one, two) {
            Some(kind) => Meaning::condition(kind, span),
            None if one.constant().is_some() || two.constant().is_some() => self.meanings.anything(),
            None => {
                let key = format!("{order:?}({},{})", self.meanings.key(one), self.meanings.key(two));
                let needs = self.meanings.needs([one, two], comparable);
                self.meanings.made(key, Types::BOOL, needs)
            }
        }
    }

    fn contained(&mut self, span: Span, one: &Meaning, two: &Meaning) -> Meaning {
        let holders = Types::LIST.or(Types::SET).or(Types::MAP);
        let types = self.meanings.types(two);
        let odd = !types.meets(holders) && two.constant().is_none();
        if self.note(span, Question::TakesOperands, odd.then_some(Oddity::NoContainer { types })) {
            return Self::fails(span);
        }
        if let (Meaning::Constant(Value::Array(values)), Some(term)) = (two, self.meanings.term(one)) {
            return Meaning::condition(Logic::Test(term, Test::Among(values.clone())), span);
        }
        let key = format!("in({},{})", self.meanings.key(one), self.meanings.key(two));
        let mut needs = self.meanings.needs([one], Types::ANY);
        needs.extend(self.meanings.need(two, holders));
        self.meanings.made(key, Types::BOOL, needs)
    }

    fn computed(&mut self, op: Binary, span: Span, one: &Meaning, two: &Meaning) -> Meaning {
        let (left, right) = (self.meanings.types(one), self.meanings.types(two));
        let types = result(op, left, right);
        let odd = types.is_empty().then_some(Oddity::NoOperator { op, left, right });
        if self.note(span, Question::TakesOperands, odd) {
            return Self::fails(span);
        }
        let key = format!("{}({},{})", op.text(), self.meanings.key(one), self.meanings.key(two));
        let needs = self.meanings.needs([one, two], Types::ANY);
        self.meanings.made(key, types, needs)
    }
}

/// What arithmetic gives; nothing where the operands do not fit.
fn result(op: Binary, left: Types, right: Types) -> Types {
    let both = |one: Types, two: Types| left.meets(one) && right.meets(two);
    let (add, subtract) = (op == Binary::Add, op == Binary::Subtract);
    let cases = [
        (both(Types::NUMBER, Types::NUMBER), Types::NUMBER),
        (add && both(Types::TEXT, Types::TEXT), Types::TEXT),
        (add && (both(Types::TIME, Types::SPAN) || both(Types::SPAN, Types::TIME)), Types::TIME),
        (subtract && both(Types::TIME, Types::SPAN), Types::TIME),
        (subtract && both(Types::TIME, Types::TIME), Types::SPAN),
        ((add || subtract) && both(Types::SPAN, Types::SPAN), Types::SPAN),
    ];
    cases.into_iter().filter(|(fits, _)| *fits).fold(Types::NONE, |all, (_, types)| all.or(types))
}
