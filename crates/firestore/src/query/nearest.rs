//! The documents whose vectors are nearest to a given one: exact, every vector that passes the filter is compared.
//!
//! A heap of `limit` names is all that is kept while the documents are read; the documents of the result are read again, page
//! by page. Documents without a vector of the same dimension at the field are passed over.
//!
//! Source: the documented semantics, and the texts of production as t-k/fireemu recorded them on 2026-09-24.

use std::collections::BTreeMap;

use base::{Code, DocumentPath, FieldPath, Fields, Status, Value};
use wire::v1::structured_query::FindNearest;
use wire::v1::structured_query::find_nearest::DistanceMeasure;

use super::parse::field_path;
use super::position;
use crate::model::value::from_wire;

/// Documents of one result.
pub const NEAREST_MAX: usize = 1_000;
/// Components of a vector that is searched for.
pub const DIMENSIONS_MAX: usize = 2_048;

/// A search for the nearest vectors among a query's documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Nearest {
    /// Where documents have their vectors.
    pub field: FieldPath,
    /// What they are compared with.
    pub vector: Vec<f64>,
    /// How.
    pub measure: Measure,
    /// Documents to give at most.
    pub limit: usize,
    /// The top-level field that gets the distance.
    pub distance_field: Option<String>,
    /// Farther documents are left out.
    pub threshold: Option<f64>,
}

/// How far two vectors are from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// The length of their difference.
    Euclidean,
    /// One minus the cosine of the angle between them.
    Cosine,
    /// Their product: the larger, the nearer.
    DotProduct,
}

impl Nearest {
    /// Reads the protocol's form.
    ///
    /// Errors: `INVALID_ARGUMENT` in production's words, where they are known.
    pub fn parse(wire: FindNearest) -> Result<Self, Status> {
        let measure = match wire.distance_measure() {
            DistanceMeasure::Euclidean => Some(Measure::Euclidean),
            DistanceMeasure::Cosine => Some(Measure::Cosine),
            DistanceMeasure::DotProduct => Some(Measure::DotProduct),
            DistanceMeasure::Unspecified => None,
        };
        let field = field_path(&wire.vector_field.unwrap_or_default().field_path)?;
        let vector = wire
            .query_vector
            .filter(|value| value.value_type.is_some())
            .ok_or_else(|| Status::invalid("Cannot convert firestore.v1.Value with type unset."))?;
        let vector = from_wire(vector)?;
        let vector =
            numbers(&vector).ok_or_else(|| Status::invalid("Query Value must be of type vector."))?;
        if vector.is_empty() {
            return Err(Status::invalid("Cannot have a zero length vector."));
        }
        if vector.len() > DIMENSIONS_MAX {
            return Err(Status::invalid(format!(
                "The query vector has {} dimensions; at most {DIMENSIONS_MAX} are supported.",
                vector.len()
            )));
        }
        let measure = measure.ok_or_else(|| Status::invalid("Unknown Distance Measure."))?;
        let limit = wire.limit.and_then(|limit| usize::try_from(limit).ok());
        let limit = limit.filter(|limit| (1..=NEAREST_MAX).contains(limit)).ok_or_else(|| {
            Status::invalid(format!(
                "FindNearest.limit must be a positive integer of no more than {NEAREST_MAX}"
            ))
        })?;
        let name = wire.distance_result_field;
        if base::name::is_reserved(&name) {
            return Err(Status::invalid(format!(
                "The distanceResultField.property.name \"{name}\" is reserved."
            )));
        }
        if wire.distance_threshold.is_some_and(f64::is_nan) {
            return Err(Status::invalid("distanceThreshold must be a number."));
        }
        let distance_field = (!name.is_empty()).then_some(name);
        Ok(Self { field, vector, measure, limit, distance_field, threshold: wire.distance_threshold })
    }

    /// The dimension of the vectors that are compared.
    pub fn dimension(&self) -> usize {
        self.vector.len()
    }

    /// How far a document is, when it has a vector to compare.
    ///
    /// Errors: `FAILED_PRECONDITION` for the angle to a vector without length.
    pub fn distance(&self, fields: &Fields) -> Result<Option<f64>, Status> {
        let Some(vector) = self.field.get(fields).and_then(numbers) else { return Ok(None) };
        if vector.len() != self.vector.len() {
            return Ok(None);
        }
        let pairs = || self.vector.iter().zip(&vector);
        let product = || pairs().map(|(a, b)| a * b).sum::<f64>();
        let distance = match self.measure {
            Measure::Euclidean => pairs().map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt(),
            Measure::DotProduct => product(),
            Measure::Cosine => {
                let squares = |vector: &[f64]| vector.iter().map(|a| a * a).sum::<f64>();
                let lengths = squares(&self.vector) * squares(&vector);
                if lengths == 0.0 {
                    return Err(Status::new(
                        Code::FailedPrecondition,
                        "Cannot compute cosine distance against a vector with a magnitude of zero.",
                    ));
                }
                1.0 - product() / lengths.sqrt()
            }
        };
        Ok((!distance.is_nan()).then_some(distance))
    }

    fn is_near_enough(&self, distance: f64) -> bool {
        self.threshold.is_none_or(|threshold| match self.measure {
            Measure::DotProduct => distance >= threshold,
            Measure::Euclidean | Measure::Cosine => distance <= threshold,
        })
    }

    /// A document's fields with its distance, where that is asked for.
    pub fn with_distance(&self, mut fields: Fields) -> Result<Fields, Status> {
        if let Some(name) = &self.distance_field
            && let Some(distance) = self.distance(&fields)?
        {
            fields.insert(name.clone(), Value::Double(distance));
        }
        Ok(fields)
    }
}

/// The components of a vector.
fn numbers(value: &Value) -> Option<Vec<f64>> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "vectors are doubles; clients may write whole ones as integers"
    )]
    let number = |value: &Value| match value {
        Value::Double(double) => Some(*double),
        Value::Integer(integer) => Some(*integer as f64),
        _ => None,
    };
    value.as_vector()?.iter().map(number).collect()
}

/// The nearest documents so far.
#[derive(Debug, Default)]
pub(super) struct Ranking {
    /// By distance, then by name.
    nearest: BTreeMap<(u64, Vec<u8>), DocumentPath>,
}

impl Ranking {
    /// Takes a document in, unless there are enough nearer ones.
    ///
    /// Errors: those of [`Nearest::distance`].
    pub fn add(&mut self, asked: &Nearest, path: &DocumentPath, fields: &Fields) -> Result<(), Status> {
        let Some(distance) = asked.distance(fields)?.filter(|distance| asked.is_near_enough(*distance))
        else {
            return Ok(());
        };
        let rank = match asked.measure {
            Measure::DotProduct => ordered(-distance),
            Measure::Euclidean | Measure::Cosine => ordered(distance),
        };
        if self.nearest.len() >= asked.limit
            && self.nearest.last_key_value().is_some_and(|((farthest, _), _)| rank > *farthest)
        {
            return Ok(());
        }
        self.nearest.insert((rank, position::path_bytes(path.segments())), path.clone());
        if self.nearest.len() > asked.limit {
            self.nearest.pop_last();
        }
        Ok(())
    }

    /// The documents, nearest first.
    pub fn into_paths(self) -> impl Iterator<Item = DocumentPath> {
        self.nearest.into_values()
    }
}

/// Bits that compare as the numbers do; zeros are equal.
fn ordered(number: f64) -> u64 {
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::testing::path;

    fn vector(numbers: &[f64]) -> Value {
        let items = numbers.iter().map(|number| Value::Double(*number)).collect();
        Value::Map(
            [
                (base::value::TYPE_KEY.to_owned(), Value::String(base::value::VECTOR_TYPE.to_owned())),
                (base::value::VECTOR_VALUE_KEY.to_owned(), Value::Array(items)),
            ]
            .into(),
        )
    }

    fn nearest(measure: Measure, limit: usize) -> Nearest {
        Nearest {
            field: FieldPath::parse("v").unwrap(),
            vector: vec![1.0, 2.0, 3.0],
            measure,
            limit,
            distance_field: None,
            threshold: None,
        }
    }

    #[test]
    fn distances_are_those_of_production() {
        let distance = |measure, numbers: &[f64]| {
            nearest(measure, 1).distance(&[("v".to_owned(), vector(numbers))].into()).unwrap()
        };
        for (measure, numbers, expected) in [
            (Measure::Euclidean, &[1.0, 2.0, 3.0][..], Some(0.0)),
            (Measure::Euclidean, &[2.0, 2.0, 3.0], Some(1.0)),
            (Measure::Cosine, &[1.0, 2.0, 3.0], Some(0.0)),
            (Measure::Cosine, &[3.0, 4.0, 5.0], Some(0.017_292_370_176_009_153)),
            (Measure::DotProduct, &[3.0, 4.0, 5.0], Some(26.0)),
            (Measure::Euclidean, &[1.0, 2.0], None),
            (Measure::Euclidean, &[f64::NAN, 0.0, 0.0], None),
        ] {
            assert_eq!(distance(measure, numbers), expected, "{measure:?} {numbers:?}");
        }
        let zero = [("v".to_owned(), vector(&[0.0; 3]))].into();
        let refused = nearest(Measure::Cosine, 1).distance(&zero).unwrap_err();
        assert_eq!(refused.code, Code::FailedPrecondition);
    }

    #[test]
    fn dimensions_are_bounded() {
        for (dimensions, is_refused) in [(DIMENSIONS_MAX, false), (DIMENSIONS_MAX + 1, true)] {
            let wire = FindNearest {
                vector_field: Some(wire::v1::structured_query::FieldReference { field_path: "v".into() }),
                query_vector: Some(crate::model::value::to_wire(vector(&vec![1.0; dimensions]))),
                distance_measure: DistanceMeasure::Cosine.into(),
                limit: Some(1),
                ..Default::default()
            };
            assert_eq!(Nearest::parse(wire).is_err(), is_refused, "{dimensions}");
        }
    }

    #[test]
    fn no_more_than_the_limit_is_kept() {
        let mut state = 7_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            f64::from(u32::try_from(state >> 40).unwrap() % 50)
        };
        for measure in [Measure::Euclidean, Measure::DotProduct] {
            let asked = nearest(measure, 5);
            let (mut ranking, mut all) = (Ranking::default(), Vec::new());
            for n in 0..200 {
                let fields: Fields =
                    [("v".to_owned(), vector(&[random(), random() - 25.0, random()]))].into();
                let path = path(&format!("c/d{n:03}"));
                // Two parts of a query may find the same document.
                for _ in 0..2 {
                    ranking.add(&asked, &path, &fields).unwrap();
                    assert!(ranking.nearest.len() <= 5);
                }
                all.push((asked.distance(&fields).unwrap().unwrap(), path));
            }
            all.sort_by(|(a, x), (b, y)| {
                let order = if measure == Measure::DotProduct { b.total_cmp(a) } else { a.total_cmp(b) };
                order.then_with(|| x.cmp(y))
            });
            let expected: Vec<_> = all.into_iter().take(5).map(|(_, path)| path).collect();
            assert_eq!(ranking.into_paths().collect::<Vec<_>>(), expected);
        }
    }
}
