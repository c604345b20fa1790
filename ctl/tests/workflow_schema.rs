//! `contrib/workflow.schema.json` is current. `UPDATE=1` rewrites it.

use std::fs;
use std::path::Path;

use torcctl::spec::fields::schema::schema;

#[test]
fn the_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib/workflow.schema.json");
    let current = format!("{:#}\n", schema());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &current).unwrap();
    }
    let shipped = fs::read_to_string(&path).unwrap_or_default();
    assert!(shipped == current, "run `UPDATE=1 cargo test -p torcctl --test workflow_schema`");
}

#[test]
fn every_reference_leads_somewhere() {
    let schema = schema();
    let text = schema.to_string();
    let references: Vec<_> = text.split("\"$ref\":\"#/$defs/").skip(1).collect();
    assert!(references.len() > 10);
    for reference in references {
        let name = reference.split('"').next().unwrap();
        assert!(
            schema["$defs"][name]["properties"].is_object() || name == "Slurm_defaults",
            "{name}"
        );
    }
}
