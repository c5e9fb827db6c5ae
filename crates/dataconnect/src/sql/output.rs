//! How columns are written as JSON.
//!
//! Source: the reference, §5.1 and §12.2: encoded in SQL, because it costs almost nothing there.

use crate::schema::{Base, ColumnType, Scalar};

/// The expression that writes a column's value.
pub(super) fn output(value: &str, ty: &ColumnType) -> String {
    match ty.list {
        None => one(value, &ty.base),
        Some(_) if is_plain(&ty.base) => value.to_owned(),
        Some(_) => format!(
            "CASE WHEN {value} IS NULL THEN NULL ELSE (SELECT coalesce(json_agg({} ORDER BY u.n), '[]'::json) \
             FROM unnest({value}) WITH ORDINALITY AS u(x, n)) END",
            one("u.x", &ty.base)
        ),
    }
}

/// Whether `to_json` writes it as it should be.
fn is_plain(base: &Base) -> bool {
    match base {
        Base::Enum(_) => false,
        Base::Scalar(scalar) => {
            matches!(scalar, Scalar::String | Scalar::Int | Scalar::Boolean | Scalar::Date | Scalar::Any)
        }
    }
}

fn one(value: &str, base: &Base) -> String {
    match base {
        Base::Enum(_) => format!("{value}::text"),
        Base::Scalar(scalar) => match scalar {
            Scalar::Uuid => format!("encode(uuid_send({value}), 'hex')"),
            Scalar::Int64 => format!("{value}::text"),
            // Turns -0 into 0.
            Scalar::Float => format!("{value} + 0.0::float8"),
            Scalar::Timestamp => {
                format!("to_char({value} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
            }
            _ => value.to_owned(),
        },
    }
}
