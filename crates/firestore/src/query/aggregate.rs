//! Count, sum and average over a query's result.
//!
//! Source: the documented semantics. A query with a sum or an average looks only at documents that have all aggregated
//! fields; values that are no numbers are passed over; the sum of nothing is the integer 0, its average null; NaN
//! stays; integers that overflow become doubles.

use std::collections::BTreeMap;

use access::Session;
use base::{DatabaseName, FieldPath, ResourcePath, Status, Value};
use wire::v1;
use wire::v1::structured_aggregation_query::aggregation::Operator;
use wire::v1::structured_aggregation_query::{Aggregation as WireAggregation, QueryType};

use super::index::Shape;
use super::parse::{field_path, parse};
use super::run::Results;
use super::shape::Query;

/// Aggregations in one query.
pub const AGGREGATIONS_MAX: usize = 5;

/// What is asked of a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Aggregation {
    /// How many documents, counting no further than this.
    Count {
        /// Where counting may stop.
        up_to: Option<usize>,
    },
    /// The sum of a field.
    Sum(FieldPath),
    /// The average of a field.
    Average(FieldPath),
}

/// A query and what is asked of its result, by alias.
#[derive(Clone, Debug, PartialEq)]
pub struct AggregationQuery {
    /// The query.
    pub query: Query,
    /// What is asked.
    pub aggregations: Vec<(String, Aggregation)>,
}

impl AggregationQuery {
    /// Reads the protocol's form.
    ///
    /// Errors: `INVALID_ARGUMENT` with the real service's text.
    pub fn parse(
        database: &DatabaseName,
        parent: &ResourcePath,
        query: v1::StructuredAggregationQuery,
    ) -> Result<Self, Status> {
        let Some(QueryType::StructuredQuery(inner)) = query.query_type else {
            return Err(Status::invalid("Aggregation query must have a structured query."));
        };
        let aggregations = read_aggregations(query.aggregations)?;
        Ok(Self { query: parse(database, parent, inner)?, aggregations })
    }
}

fn read_aggregations(wire: Vec<WireAggregation>) -> Result<Vec<(String, Aggregation)>, Status> {
    if wire.is_empty() {
        return Err(Status::invalid("Aggregations can not be empty."));
    }
    if wire.len() > AGGREGATIONS_MAX {
        return Err(Status::invalid(format!(
            "The maximum number of aggregations allowed in an aggregation query is {AGGREGATIONS_MAX}. Received: {}",
            wire.len()
        )));
    }
    let mut unnamed = 0;
    let mut aggregations: Vec<(String, Aggregation)> = Vec::new();
    for aggregation in wire {
        let alias = if aggregation.alias.is_empty() {
            unnamed += 1;
            format!("field_{unnamed}")
        } else {
            aggregation.alias
        };
        if base::name::is_reserved(&alias) {
            return Err(Status::invalid(format!("The property.name \"{alias}\" is reserved.")));
        }
        if aggregations.iter().any(|(other, _)| *other == alias) {
            return Err(Status::invalid(format!("Aggregation aliases contain duplicate alias: {alias}.")));
        }
        let number = |field: Option<v1::structured_query::FieldReference>| {
            let field = field_path(&field.unwrap_or_default().field_path)?;
            if field.is_document_id() {
                return Err(Status::invalid("Aggregations are not supported for the property: __key__"));
            }
            Ok(field)
        };
        let operator = match aggregation.operator {
            None => return Err(Status::invalid("Operator field in Aggregation is not set.")),
            Some(Operator::Count(count)) => Aggregation::Count {
                up_to: match count.up_to {
                    None => None,
                    Some(most) => Some(
                        usize::try_from(most).map_err(|_| Status::invalid("up_to must not be negative"))?,
                    ),
                },
            },
            Some(Operator::Sum(sum)) => Aggregation::Sum(number(sum.field)?),
            Some(Operator::Avg(average)) => Aggregation::Average(number(average.field)?),
        };
        aggregations.push((alias, operator));
    }
    Ok(aggregations)
}

/// What is known of one field so far.
#[derive(Clone, Debug, Default)]
struct Tally {
    numbers: u64,
    /// Exact while it lasts.
    integers: i128,
    doubles: f64,
    has_double: bool,
}

impl Tally {
    fn add(&mut self, value: &Value) {
        match value {
            Value::Integer(integer) => self.integers = self.integers.saturating_add(i128::from(*integer)),
            Value::Double(double) => {
                self.doubles += double;
                self.has_double = true;
            }
            _ => return,
        }
        self.numbers += 1;
    }

    #[expect(clippy::cast_precision_loss, reason = "a double is what the service gives")]
    fn total(&self) -> f64 {
        self.integers as f64 + self.doubles
    }

    fn sum(&self) -> Value {
        match i64::try_from(self.integers) {
            Ok(integer) if !self.has_double => Value::Integer(integer),
            _ => Value::Double(self.total()),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 documents")]
    fn average(&self) -> Value {
        if self.numbers == 0 { Value::Null } else { Value::Double(self.total() / self.numbers as f64) }
    }
}

/// The answers by alias, and the indexes that would have helped, as [`Results::wanted`] has them.
pub async fn aggregate(
    session: &mut Session,
    database: &DatabaseName,
    asked: &AggregationQuery,
) -> Result<(BTreeMap<String, Value>, Vec<Shape>), Status> {
    let mut tallies: Vec<(&FieldPath, Tally)> = Vec::new();
    for (_, aggregation) in &asked.aggregations {
        if let Aggregation::Sum(field) | Aggregation::Average(field) = aggregation {
            tallies.push((field, Tally::default()));
        }
    }
    let mut results = Results::open(session, database, &asked.query).await?;
    let mut count = 0;
    if tallies.is_empty() {
        let most = asked.aggregations.iter().map(|(_, aggregation)| match aggregation {
            Aggregation::Count { up_to } => up_to.unwrap_or(usize::MAX),
            _ => 0,
        });
        count = results.count(session, most.max().unwrap_or_default()).await?;
    } else {
        while let Some(page) = results.page(session).await? {
            for found in page {
                let fields = found.stored.fields()?;
                if tallies.iter().any(|(field, _)| field.get(&fields).is_none()) {
                    continue;
                }
                count += 1;
                for (field, tally) in &mut tallies {
                    if let Some(value) = field.get(&fields) {
                        tally.add(value);
                    }
                }
            }
        }
    }
    let mut tallies = tallies.into_iter().map(|(_, tally)| tally);
    let answers = asked.aggregations.iter().map(|(alias, aggregation)| {
        let value = match aggregation {
            Aggregation::Count { up_to } => {
                let count = up_to.map_or(count, |most| count.min(most));
                Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
            }
            Aggregation::Sum(_) => tallies.next().unwrap_or_default().sum(),
            Aggregation::Average(_) => tallies.next().unwrap_or_default().average(),
        };
        (alias.clone(), value)
    });
    Ok((answers.collect(), results.wanted().to_vec()))
}
