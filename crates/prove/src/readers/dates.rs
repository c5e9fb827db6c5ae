//! Where conditions compare the time of the request with a fixed one.

use base::{Timestamp, Value};
use policy::Span;
use policy::ir::{Binary, Expr, Function, Kind, Language, walk};
use policy::rtdb::lowered as realtime;
use policy::rules::lowered as rules;

use crate::logic::Order;

/// A comparison of the time with a fixed one.
#[derive(Clone, Debug, PartialEq)]
pub struct Dated {
    /// The comparison.
    pub span: Span,
    /// How the time is compared with the fixed one.
    pub order: Order,
    /// The fixed one.
    pub at: Timestamp,
}

impl Dated {
    /// What it will always be from now on; `None` while that is open.
    pub fn settled(&self, now: Timestamp) -> Option<bool> {
        match self.order {
            Order::Less => (now >= self.at).then_some(false),
            Order::LessOrEqual => (now > self.at).then_some(false),
            Order::Greater => (now > self.at).then_some(true),
            Order::GreaterOrEqual => (now >= self.at).then_some(true),
        }
    }
}

/// The comparisons of a ruleset for Firestore or Storage.
pub fn of_rules(ruleset: &policy::Ruleset) -> Vec<Dated> {
    let is_time = |expr: &Expr<rules::Rules>| match &expr.kind {
        Kind::Member(request, name) => {
            **name == *"time" && matches!(request.kind, Kind::Global(rules::Global::Request))
        }
        _ => false,
    };
    let lowered = ruleset.lowered();
    // What a call comes to is known by the call's place.
    let compares = |function: &Function<rules::Rules>| comparison(&function.body, &is_time, &fixed);
    let called: Vec<Option<Dated>> = lowered.functions.iter().map(compares).collect();
    let mut found = Vec::new();
    for expr in lowered.expressions() {
        walk::each(expr, &mut |expr| match &expr.kind {
            Kind::Call(function, _) => {
                let dated = called.get(*function).cloned().flatten();
                found.extend(dated.map(|dated| Dated { span: expr.span, ..dated }));
            }
            _ => found.extend(comparison(expr, &is_time, &fixed)),
        });
    }
    found
}

/// The comparisons of a rule of the Realtime Database.
pub fn of_database_rule(condition: &realtime::Condition) -> Vec<Dated> {
    let is_now = |expr: &realtime::Condition| matches!(expr.kind, Kind::Global(realtime::Global::Now));
    let millis = |expr: &realtime::Condition| match &expr.kind {
        Kind::Constant(Value::Double(millis)) => whole(*millis).and_then(from_millis),
        _ => None,
    };
    let mut found = Vec::new();
    walk::each(condition, &mut |expr| found.extend(comparison(expr, &is_now, &millis)));
    found
}

fn comparison<L: Language>(
    expr: &Expr<L>,
    is_time: &dyn Fn(&Expr<L>) -> bool,
    fixed: &dyn Fn(&Expr<L>) -> Option<Timestamp>,
) -> Option<Dated> {
    let Kind::Binary(op, left, right) = &expr.kind else { return None };
    let order = Order::of(*op)?;
    let (order, at) = match (is_time(left), is_time(right)) {
        (true, false) => (order, fixed(right)?),
        (false, true) => (order.mirrored(), fixed(left)?),
        _ => return None,
    };
    Some(Dated { span: expr.span, order, at })
}

/// `timestamp.date(…)`, `timestamp.value(…)`, and one of them and a duration.
fn fixed(expr: &Expr<rules::Rules>) -> Option<Timestamp> {
    match &expr.kind {
        Kind::Function(rules::Function::TimestampDate, arguments) => match ints(arguments)?.as_slice() {
            [year, month, day] => Timestamp::parse(&format!("{year:04}-{month:02}-{day:02}T00:00:00Z")).ok(),
            _ => None,
        },
        Kind::Function(rules::Function::TimestampValue, arguments) => match ints(arguments)?.as_slice() {
            [millis] => from_millis(*millis),
            _ => None,
        },
        Kind::Binary(op @ (Binary::Add | Binary::Subtract), left, right) => {
            let seconds = length(right)?;
            let at = fixed(left)?;
            let seconds = if *op == Binary::Add { seconds } else { seconds.checked_neg()? };
            Timestamp::new(at.seconds.checked_add(seconds)?, at.nanos).ok()
        }
        _ => None,
    }
}

/// The seconds of `duration.value(1, 'd')`.
fn length(expr: &Expr<rules::Rules>) -> Option<i64> {
    let Kind::Function(rules::Function::DurationValue, arguments) = &expr.kind else { return None };
    let [amount, unit] = arguments.as_slice() else { return None };
    let (Kind::Constant(Value::Integer(amount)), Kind::Constant(Value::String(unit))) =
        (&amount.kind, &unit.kind)
    else {
        return None;
    };
    let seconds = match unit.as_str() {
        "w" => 604_800,
        "d" => 86_400,
        "h" => 3_600,
        "m" => 60,
        "s" => 1,
        _ => return None,
    };
    amount.checked_mul(seconds)
}

fn ints<L: Language>(arguments: &[Expr<L>]) -> Option<Vec<i64>> {
    let int = |argument: &Expr<L>| match &argument.kind {
        Kind::Constant(Value::Integer(value)) => Some(*value),
        _ => None,
    };
    arguments.iter().map(int).collect()
}

fn from_millis(millis: i64) -> Option<Timestamp> {
    let nanos = u32::try_from(millis.rem_euclid(1000)).ok()? * 1_000_000;
    Timestamp::new(millis.div_euclid(1000), nanos).ok()
}

#[expect(clippy::cast_possible_truncation, reason = "what does not fit is no time either")]
fn whole(number: f64) -> Option<i64> {
    number.is_finite().then_some(number.floor() as i64)
}
