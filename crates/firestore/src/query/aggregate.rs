//! Count, sum and average over a query's result.
//!
//! Source: the documented semantics. A query with a sum or an average looks only at documents that have all aggregated
//! fields, and where it is cut to a part of them it is ordered by those fields behind its own orders; values that are no numbers are passed over; the sum of nothing is the integer 0, its average null; NaN
//! stays; integers that overflow become doubles.

use std::collections::{BTreeMap, BTreeSet};

use access::Session;
use base::{DatabaseName, FieldPath, ResourcePath, Status, Value};
use wire::v1;
use wire::v1::structured_aggregation_query::aggregation::Operator;
use wire::v1::structured_aggregation_query::{Aggregation as WireAggregation, QueryType};

use super::parse::{field_path, parse};
use super::run::Results;
use super::shape::Query;
use crate::status;

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
        let by_name = inner.order_by.iter().any(|order| {
            order.field.as_ref().is_some_and(|field| field.field_path == base::field::DOCUMENT_ID)
        });
        let mut query = parse(database, parent, inner)?;
        let mut aggregated = BTreeSet::new();
        for (_, aggregation) in &aggregations {
            if let Aggregation::Sum(field) | Aggregation::Average(field) = aggregation {
                query.require(field.clone());
                aggregated.insert(field.clone());
            }
        }
        let is_ordered = |field: &FieldPath| query.orders.iter().any(|order| order.field == *field);
        let unordered: Vec<_> = aggregated.into_iter().filter(|field| !is_ordered(field)).collect();
        if by_name && !unordered.is_empty() {
            let names: Vec<_> = unordered.iter().map(ToString::to_string).collect();
            return Err(status::aggregated_after_name(&names));
        }
        // Which documents a part of the result has depends on the order.
        if query.limit.is_some() || query.offset > 0 {
            query.order_also_by(unordered);
        }
        Ok(Self { query, aggregations })
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
                    Some(most) => Some(usize::try_from(most).map_err(|_| {
                        Status::invalid(
                            "The `up_to` value in a COUNT aggregation must be greater than or equal to zero.",
                        )
                    })?),
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

/// The answers by alias over a result that has not been read yet, and how many documents it has.
///
/// Errors: those of [`Results::page`].
pub async fn aggregate(
    session: &mut Session,
    asked: &AggregationQuery,
    results: &mut Results,
) -> Result<(BTreeMap<String, Value>, usize), Status> {
    let mut tallies: Vec<(&FieldPath, Tally)> = Vec::new();
    for (_, aggregation) in &asked.aggregations {
        if let Aggregation::Sum(field) | Aggregation::Average(field) = aggregation {
            tallies.push((field, Tally::default()));
        }
    }
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
    Ok((answers.collect(), count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::testing::{Database, path};

    /// The answers to `[count, sum(x), avg(x)]`-like aggregations over `/c`, or the words they are refused with.
    async fn ask(
        database: &Database,
        query: &str,
        aggregations: &str,
    ) -> Result<Vec<(String, Value)>, String> {
        let text = format!(
            r#"{{"structuredAggregationQuery":{{"structuredQuery":{{"from":[{{"collectionId":"c"}}]{query}}},"aggregations":[{aggregations}]}}}}"#
        );
        let request: v1::RunAggregationQueryRequest = wire::json::read(text.as_bytes()).unwrap();
        let Some(v1::run_aggregation_query_request::QueryType::StructuredAggregationQuery(query)) =
            request.query_type
        else {
            panic!("{text}")
        };
        let asked = AggregationQuery::parse(&database.name, &ResourcePath::ROOT, query)
            .map_err(|status| status.message)?;
        let mut session = database.session().await;
        let mut results = Results::open(&mut session, &database.name, &asked.query).await.unwrap();
        let (answers, _) = aggregate(&mut session, &asked, &mut results).await.unwrap();
        session.finish();
        Ok(answers.into_iter().collect())
    }

    async fn filled() -> Database {
        let database = Database::new().await;
        for (name, x) in [
            ("c/a", Some(Value::Integer(1))),
            ("c/b", None),
            ("c/d", Some(Value::Integer(2))),
            ("c/e", Some(Value::Integer(3))),
            ("c/f", Some(Value::String("s".into()))),
        ] {
            let fields = x.map(|x| ("x".to_owned(), x)).into_iter().collect();
            database.write(&[(path(name), Some(fields))]).await;
        }
        database
    }

    const COUNT: &str = r#"{"count":{}}"#;
    const SUM: &str = r#"{"sum":{"field":{"fieldPath":"x"}}}"#;
    const AVERAGE: &str = r#"{"avg":{"field":{"fieldPath":"x"}}}"#;

    #[tokio::test]
    async fn answers() {
        let database = filled().await;
        let (two, three, six) = (Value::Integer(2), Value::Integer(3), Value::Integer(6));
        let all = format!("{COUNT},{SUM},{AVERAGE}");
        // Documents without the field are not counted either; the limit counts what is left.
        let cases = [
            ("", COUNT.to_owned(), vec![Value::Integer(5)]),
            (r#","limit":2"#, COUNT.to_owned(), vec![two.clone()]),
            (r#","offset":4"#, COUNT.to_owned(), vec![Value::Integer(1)]),
            ("", r#"{"count":{"upTo":"2"}}"#.to_owned(), vec![two.clone()]),
            ("", all.clone(), vec![Value::Integer(4), six, Value::Double(2.0)]),
            (r#","limit":2"#, format!("{COUNT},{SUM}"), vec![two.clone(), three]),
            (r#","limit":2,"offset":1"#, format!("{COUNT},{SUM}"), vec![two, Value::Integer(5)]),
            (r#","limit":0"#, all, vec![Value::Integer(0), Value::Integer(0), Value::Null]),
        ];
        for (query, aggregations, expected) in cases {
            let answers = ask(&database, query, &aggregations).await.unwrap();
            let values: Vec<_> = answers.into_iter().map(|(_, value)| value).collect();
            assert_eq!(values, expected, "{query} {aggregations}");
        }
    }

    #[tokio::test]
    async fn a_part_of_the_result_is_ordered_by_what_is_aggregated() {
        let database = Database::new().await;
        let pairs = [(5, 1), (4, 8), (3, 2), (2, 7), (1, 3), (0, 6), (7, 4), (6, 5)];
        for (at, (a, b)) in pairs.into_iter().enumerate() {
            let fields = [("a".to_owned(), Value::Integer(a)), ("b".to_owned(), Value::Integer(b))];
            database.write(&[(path(&format!("c/{at}")), Some(fields.into()))]).await;
        }
        let sum = |field: &str| format!(r#"{{"sum":{{"field":{{"fieldPath":"{field}"}}}}}}"#);
        let (a, b) = (sum("a"), sum("b"));
        let (ab, ba) = (format!("{a},{b}"), format!("{b},{a}"));
        let by = |field: &str| format!(r#","orderBy":[{{"field":{{"fieldPath":"{field}"}}}}],"limit":3"#);
        let more = r#","where":{"fieldFilter":{"field":{"fieldPath":"b"},"op":"GREATER_THAN","value":{"integerValue":"2"}}},"limit":3"#;
        for (query, aggregations, expected) in [
            (r#","limit":3"#, &a, vec![3]),
            (r#","limit":3"#, &b, vec![6]),
            (r#","limit":3"#, &ab, vec![3, 16]),
            (r#","limit":3"#, &ba, vec![16, 3]),
            (r#","offset":2"#, &a, vec![27]),
            (r#","offset":2,"limit":3"#, &a, vec![9]),
            (&by("a"), &b, vec![16]),
            (more, &a, vec![14]),
            (more, &b, vec![12]),
        ] {
            let answers = ask(&database, query, aggregations).await.unwrap();
            let sums: Vec<_> = answers.into_iter().map(|(_, value)| value).collect();
            let expected: Vec<_> = expected.into_iter().map(Value::Integer).collect();
            assert_eq!(sums, expected, "{query} {aggregations}");
        }
        let refused = ask(&database, &by("__name__"), &ba).await.unwrap_err();
        assert!(refused.starts_with("This query requires an index with fields [a, b] after __name__"));
        assert!(ask(&database, &by("__name__"), COUNT).await.is_ok());
    }

    #[tokio::test]
    async fn sums_overflow_into_doubles_and_nan_stays() {
        let database = filled().await;
        let put = |x: Value| [(path("c/z"), Some([("x".to_owned(), x)].into()))];
        database.write(&put(Value::Integer(i64::MAX))).await;
        let sum = ask(&database, "", SUM).await.unwrap();
        assert_eq!(sum, [("field_1".to_owned(), Value::Double(9.223_372_036_854_776e18))]);
        database.write(&put(Value::Double(f64::NAN))).await;
        let sum = ask(&database, "", SUM).await.unwrap();
        assert!(matches!(sum.as_slice(), [(_, Value::Double(nan))] if nan.is_nan()), "{sum:?}");
    }

    #[tokio::test]
    async fn refusals() {
        let database = filled().await;
        let named = r#"{"count":{},"alias":"a"}"#;
        let cases = [
            (String::new(), "Aggregations can not be empty."),
            ("{}".to_owned(), "Operator field in Aggregation is not set."),
            (format!("{named},{named}"), "Aggregation aliases contain duplicate alias: a."),
            (
                [COUNT; 6].join(","),
                "The maximum number of aggregations allowed in an aggregation query is 5. Received: 6",
            ),
            (
                r#"{"sum":{"field":{"fieldPath":"__name__"}}}"#.to_owned(),
                "Aggregations are not supported for the property: __key__",
            ),
            (
                r#"{"count":{"upTo":"-1"}}"#.to_owned(),
                "The `up_to` value in a COUNT aggregation must be greater than or equal to zero.",
            ),
        ];
        for (aggregations, expected) in cases {
            assert_eq!(ask(&database, "", &aggregations).await.unwrap_err(), expected);
        }
    }
}
