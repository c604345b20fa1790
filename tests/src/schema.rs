//! The JSON Schemas in `contrib/schemas`, as a test needs them.

use std::collections::BTreeSet;
use std::fs;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::source::workspace;

/// All definitions of a version.
#[derive(Debug)]
pub struct Schema {
    root: Value,
}

impl Schema {
    /// Reads version 1.
    #[must_use]
    pub fn v1() -> Self {
        let path = workspace().join("contrib/schemas/v1/torc.schema.json");
        let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { root: serde_json::from_slice(&text).expect("a schema is JSON") }
    }

    /// Returns all of it.
    #[must_use]
    pub fn root(&self) -> &Value {
        &self.root
    }

    /// Returns the definition of this name, with the one in its place where it refers to one.
    #[track_caller]
    #[must_use]
    pub fn definition(&self, name: &str) -> &Value {
        let definition = &self.root["$defs"][name];
        assert!(!definition.is_null(), "the schema does not define '{name}'");
        definition
    }

    /// Returns the names of all definitions.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        let definitions = self.root["$defs"].as_object();
        definitions.into_iter().flat_map(|it| it.keys().cloned()).collect()
    }

    /// Returns what checks values against a definition.
    ///
    /// # Panics
    ///
    /// When there is no such definition, or it is no schema.
    #[track_caller]
    #[must_use]
    pub fn shape(&self, name: &str) -> Shape {
        let _ = self.definition(name);
        let schema = json!({
            "$schema": self.root["$schema"],
            "$ref": format!("#/$defs/{name}"),
            "$defs": self.root["$defs"],
        });
        let validator = jsonschema::validator_for(&schema)
            .unwrap_or_else(|error| panic!("'{name}' is no schema: {error}"));
        Shape { name: name.to_owned(), validator }
    }

    /// Returns the names of the values without parts in a definition: those of columns.
    #[must_use]
    pub fn leaves(&self, name: &str) -> BTreeSet<String> {
        let mut leaves = BTreeSet::new();
        self.collect_leaves(self.definition(name), &mut leaves);
        leaves
    }

    fn collect_leaves(&self, schema: &Value, leaves: &mut BTreeSet<String>) {
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            let value = self.resolved(value);
            if value["properties"].is_object() {
                self.collect_leaves(value, leaves);
            } else {
                leaves.insert(key.clone());
            }
        }
    }

    /// Follows a reference, and that of a value which may be null.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        let referred = schema["$ref"].as_str().or_else(|| schema["anyOf"][0]["$ref"].as_str());
        match referred.and_then(|path| path.strip_prefix("#/$defs/")) {
            Some(name) => self.resolved(self.definition(name)),
            None => schema,
        }
    }
}

/// A definition that values can be checked against.
#[derive(Debug)]
pub struct Shape {
    name: String,
    validator: jsonschema::Validator,
}

impl Shape {
    /// Checks a value.
    ///
    /// # Panics
    ///
    /// When it is of another shape; says where.
    #[track_caller]
    pub fn check(&self, value: &Value) {
        let errors: Vec<_> = self
            .validator
            .iter_errors(value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "no {}: {}\n{value:#}", self.name, errors.join("\n"));
    }

    /// Returns whether a value is of this shape.
    #[must_use]
    pub fn fits(&self, value: &Value) -> bool {
        self.validator.is_valid(value)
    }
}

/// Returns the names that the variants of an enum have in JSON.
///
/// # Panics
///
/// When `T` takes any key or word.
#[track_caller]
#[must_use]
pub fn variants<T: DeserializeOwned>() -> BTreeSet<String> {
    let error = match serde_json::from_str::<T>("\"?\"") {
        Ok(_) => panic!("it takes anything"),
        Err(error) => error.to_string(),
    };
    let (_, names) = error.split_once("expected ").unwrap_or_else(|| panic!("{error}"));
    names.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
