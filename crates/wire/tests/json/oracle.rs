//! The generated code and `prost-reflect`, which knows nothing of it, agree on every kind of message.

use std::collections::HashMap;

use prost::Message as _;
use prost_reflect::{
    DescriptorPool, DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor,
    Value,
};
use wire::json::JsonOptions;

use crate::forms;

/// Messages of each kind that are tried.
const ROUNDS: usize = 100;
/// How deep made-up messages nest.
const DEPTH_MAX: usize = 8;

/// A repeatable source of choices (SplitMix64).
struct Choices(u64);

impl Choices {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize].clone()
    }

    fn text(&mut self) -> String {
        self.pick(&["", "a", "é\"\\", "projects/p/databases/d", "漢😀\n\u{0}", "null", "__name__"]).to_owned()
    }
}

fn made_up(descriptor: &MessageDescriptor, choices: &mut Choices, depth: usize) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    let set = |message: &mut DynamicMessage, name: &str, value| message.set_field_by_name(name, value);
    match descriptor.full_name() {
        "google.protobuf.Timestamp" => {
            let seconds = choices.below(315_537_897_599) as i64 - 62_135_596_800;
            set(&mut message, "seconds", Value::I64(seconds));
            let nanos = choices.pick(&[0, 5_000_000, 7_000, 9, 999_999_999]);
            set(&mut message, "nanos", Value::I32(nanos));
        }
        "google.protobuf.Duration" => {
            let sign = choices.pick(&[1, -1]);
            set(&mut message, "seconds", Value::I64(choices.below(1000) as i64 * sign));
            let nanos = choices.pick(&[0, 500_000_000, 30_000, 1]);
            set(&mut message, "nanos", Value::I32(nanos * sign as i32));
        }
        "google.protobuf.Value" => {
            let fields: Vec<_> = descriptor.fields().take(if depth == 0 { 4 } else { 6 }).collect();
            let field = choices.pick(&fields);
            let value = one(&field, choices, depth.saturating_sub(1));
            message.set_field(&field, value);
        }
        _ => {
            for field in descriptor.fields() {
                if choices.below(2) == 0 || (depth == 0 && matches!(field.kind(), Kind::Message(_))) {
                    continue;
                }
                // Details of any type have no JSON form here.
                if matches!(field.kind(), Kind::Message(kind) if kind.full_name() == "google.protobuf.Any") {
                    continue;
                }
                let count = choices.below(4);
                let value = if field.is_list() {
                    Value::List((0..count).map(|_| one(&field, choices, depth - 1)).collect())
                } else if field.is_map() {
                    let Kind::Message(entry) = field.kind() else { unreachable!() };
                    let kind = entry.map_entry_value_field();
                    let entries = (0..count).map(|_| {
                        (MapKey::String(choices.text()), one(&kind, choices, depth.saturating_sub(1)))
                    });
                    Value::Map(entries.collect::<HashMap<_, _>>())
                } else {
                    one(&field, choices, depth.saturating_sub(1))
                };
                message.set_field(&field, value);
            }
        }
    }
    message
}

/// One value of a field, or of its elements.
fn one(field: &FieldDescriptor, choices: &mut Choices, depth: usize) -> Value {
    match field.kind() {
        Kind::Bool => Value::Bool(choices.below(2) == 1),
        Kind::Int32 => Value::I32(choices.pick(&[0, 1, -1, i32::MAX, i32::MIN])),
        Kind::Int64 => Value::I64(choices.pick(&[0, 1, -1, i64::MAX, i64::MIN, 9_007_199_254_740_993])),
        // Neither NaN, which is not equal to itself, nor infinity, which free-form objects cannot hold.
        Kind::Double => Value::F64(choices.pick(&[0.0, 1.0, -2.5, 0.1, 1e300, 5e-324, 123_456_789.0, 1e16])),
        Kind::String => Value::String(choices.text()),
        Kind::Bytes => {
            Value::Bytes((0..choices.below(9)).map(|_| choices.next() as u8).collect::<Vec<_>>().into())
        }
        Kind::Enum(kind) => {
            let numbers: Vec<_> = kind.values().map(|value| value.number()).collect();
            Value::EnumNumber(choices.pick(&numbers))
        }
        Kind::Message(kind) => Value::Message(made_up(&kind, choices, depth)),
        kind => panic!("no protocol file here uses {kind:?}"),
    }
}

/// `1` and `1.0` are one number.
fn normal(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Number(number) => serde_json::json!(number.as_f64().unwrap()),
        serde_json::Value::Array(items) => items.into_iter().map(normal).collect(),
        serde_json::Value::Object(entries) => {
            entries.into_iter().map(|(name, value)| (name, normal(value))).collect()
        }
        value => value,
    }
}

#[test]
fn both_write_the_same_and_read_what_the_other_wrote() {
    let pool = DescriptorPool::decode(wire::DESCRIPTORS).unwrap();
    let mut choices = Choices(1);
    let mut longest = 0;
    for form in forms::all() {
        let descriptor = pool.get_message_by_name(form.name).unwrap();
        for _ in 0..ROUNDS {
            let bytes = made_up(&descriptor, &mut choices, DEPTH_MAX).encode_to_vec();
            // An empty list that was set is one that was not, once it came from binary.
            let message = DynamicMessage::decode(descriptor.clone(), bytes.as_slice()).unwrap();

            let ours = (form.write)(&bytes, JsonOptions::default());
            let theirs = serde_json::to_value(&message).unwrap();
            let parsed: serde_json::Value = serde_json::from_str(&ours).unwrap();
            assert_eq!(normal(parsed), normal(theirs.clone()), "{}", form.name);

            let back = (form.read)(theirs.to_string().as_bytes()).unwrap();
            let back = DynamicMessage::decode(descriptor.clone(), back.as_slice()).unwrap();
            assert_eq!(back, message, "{}: {theirs}", form.name);

            let mut deserializer = serde_json::Deserializer::from_str(&ours);
            let options = DeserializeOptions::new();
            let back =
                DynamicMessage::deserialize_with_options(descriptor.clone(), &mut deserializer, &options);
            assert_eq!(back.unwrap(), message, "{}: {ours}", form.name);
            longest = longest.max(ours.len());
        }
    }
    assert!(longest > 500, "made-up messages are at most {longest} bytes long");
}
