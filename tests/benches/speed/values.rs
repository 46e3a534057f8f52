//! What a measurement yields: numbers with names, and how they travel between processes.

use alloc::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::speed::Failure;

/// Numbers by name. A name ends with its unit.
pub(crate) type Values = BTreeMap<&'static str, f64>;

/// The names that there are.
const NAMES: [&str; 8] = [
    "p50_us",
    "p99_us",
    "per_second",
    "gb_per_second",
    "cpu_s",
    "cpu_s_per_gb",
    "cpu_us",
    "memory_kib",
];

pub(crate) fn to_json(values: &Values) -> Value {
    let values = values.iter().map(|(name, value)| {
        let value = (value * 1e6).round() / 1e6;
        ((*name).to_owned(), value.into())
    });
    Value::Object(Map::from_iter(values))
}

pub(crate) fn from_json(text: &str) -> Result<Values, Failure> {
    let object: Map<String, Value> = serde_json::from_str(text)?;
    let value = |(name, value): (&String, &Value)| {
        let name = NAMES.iter().find(|known| *known == name)?;
        Some((*name, value.as_f64()?))
    };
    let values = object.iter().map(value).collect::<Option<_>>();
    values.ok_or_else(|| format!("values that nobody knows: {text}").into())
}
