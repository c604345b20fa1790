//! The JSON Schema of workflow files, for editors: the tables in another form.

use serde_json::{Map, Value, json};

use super::tables::WORKFLOW;
use super::{Field, Kind, Table};

/// Returns the schema.
#[must_use]
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let mut schema = object(&WORKFLOW, &mut definitions);
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "torc workflow",
        "description": "A workflow file of torc, in YAML, JSON or JSON5.",
    });
    if let (Value::Object(schema), Value::Object(head)) = (&mut schema, head) {
        schema.extend(head);
        schema.insert("$defs".to_owned(), definitions.into());
    }
    schema
}

fn object(table: &Table, definitions: &mut Map<String, Value>) -> Value {
    let properties: Map<_, _> = table
        .fields
        .iter()
        .map(|field| (field.name.to_owned(), property(field, definitions)))
        .collect();
    let required: Vec<_> =
        table.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let others = table.others.map_or(Value::Bool(false), |kind| value(kind, definitions));
    let mut object = json!({ "type": "object", "additionalProperties": others });
    if !properties.is_empty() {
        object["properties"] = properties.into();
    }
    if !required.is_empty() {
        object["required"] = required.into();
    }
    object
}

fn property(field: &Field, definitions: &mut Map<String, Value>) -> Value {
    let mut property = value(field.kind, definitions);
    if !field.required {
        property = nullable(property);
    }
    let about = match field.no_effect {
        Some(reason) => format!("{} No effect: {reason}.", field.about),
        None => field.about.to_owned(),
    };
    property["description"] = about.into();
    property
}

/// Lets a value also be null, which counts as not there.
fn nullable(mut property: Value) -> Value {
    if property.get("$ref").is_some() {
        return json!({ "anyOf": [property, { "type": "null" }] });
    }
    if let Some(Value::Array(words)) = property.get_mut("enum") {
        words.push(Value::Null);
    }
    match property.get_mut("type") {
        Some(Value::Array(kinds)) => kinds.push("null".into()),
        Some(kind) => *kind = json!([kind.take(), "null"]),
        None => {}
    }
    property
}

fn value(kind: Kind, definitions: &mut Map<String, Value>) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Scalar => scalar(),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Integer(low, high) => integer(low, high),
        Kind::Number => json!({ "type": "number" }),
        Kind::Word(words) => json!({ "type": "string", "enum": words }),
        Kind::Memory => json!({
            "type": ["string", "integer"],
            "pattern": "^[0-9]+(\\.[0-9]+)? ?([kKmMgGtTpP]([iI]?[bB])?|[bB])?$",
            "minimum": 1,
        }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Integers(low, high) => json!({ "type": "array", "items": integer(low, high) }),
        Kind::Variables => json!({ "type": "object", "additionalProperties": scalar() }),
        Kind::Parameters => json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
            "additionalProperties": {
                "type": ["string", "number", "boolean", "array"],
                "items": scalar(),
            },
        }),
        Kind::Any => json!({}),
        Kind::Entry(table) => reference(table, definitions),
        Kind::Entries(table) => {
            json!({ "type": "array", "items": reference(table, definitions) })
        }
    }
}

fn scalar() -> Value {
    json!({ "type": ["string", "number", "boolean"] })
}

fn integer(low: i64, high: i64) -> Value {
    json!({ "type": "integer", "minimum": low, "maximum": high })
}

fn reference(table: &Table, definitions: &mut Map<String, Value>) -> Value {
    let name = table.name.trim_start_matches("a ").trim_start_matches("an ").replace(' ', "_");
    if !definitions.contains_key(&name) {
        definitions.insert(name.clone(), Value::Null);
        let definition = object(table, definitions);
        definitions.insert(name.clone(), definition);
    }
    json!({ "$ref": format!("#/$defs/{name}") })
}
