//! `torcctl config show`: every setting.

use serde::Serialize;
use torc_protocol::config::Origin;
use torc_protocol::config::key::{self, SETTINGS, Setting};
use torc_protocol::config::settings::Settings;
use torc_protocol::config::value::Value;

use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::output::column::{Column, Field, View};
use crate::output::page::{Page, check_format, write_json};
use crate::output::stdout::Stdout;
use crate::style::one_line;

const EXAMPLES: &str = "\
Examples:
  torcctl config show
  torcctl config show snapshot.keep
  torcctl config show --format json | jq -r '.[] | select(.layer != \"default\") | .name'

Columns: name, value, layer, origin, default, variable, flag, reloads, meaning

Of torcd it shows what one gets that is started here and now. What one that runs was told, it knows
itself: `torcctl status`.

Exit codes: 2 a file or a variable is wrong, 6 there is no such setting";

/// Show every setting, its value, and where it is set
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Show {
    /// Only this one, and all about it
    #[arg(value_name = "SETTING")]
    setting: Option<String>,
    /// Show these columns, named below, in this order
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', conflicts_with = "setting")]
    columns: Vec<String>,
}

/// A setting, as programs get it.
#[derive(Debug, Serialize)]
struct SettingView {
    name: &'static str,
    /// What it is set to; null when it is not.
    value: serde_json::Value,
    /// `default`, `system`, `user`, `project`, `environment` or `command line`.
    layer: &'static str,
    /// `FILE:LINE`, the variable or the flag; null for a default.
    origin: Option<String>,
    /// What counts where it is not set, in words.
    default: &'static str,
    variable: &'static str,
    flag: &'static str,
    /// Whether a torcd that runs takes a new value on SIGHUP.
    reloads: bool,
    meaning: &'static str,
    /// The value as text.
    #[serde(skip)]
    text: Option<String>,
}

impl View for SettingView {
    const NOUN: &'static str = "setting";
    const ID: &'static str = "name";
    const COLUMNS: &'static [Column<Self>] = &[
        Column { name: "name", heading: "SETTING", field: Field::Text(|it| Some(it.name)) },
        Column { name: "value", heading: "VALUE", field: Field::Text(|it| it.text.as_deref()) },
        Column { name: "layer", heading: "LAYER", field: Field::Text(|it| Some(it.layer)) },
        Column { name: "origin", heading: "FROM", field: Field::Text(|it| it.origin.as_deref()) },
        Column { name: "default", heading: "DEFAULT", field: Field::Text(|it| Some(it.default)) },
        Column {
            name: "variable",
            heading: "VARIABLE",
            field: Field::Text(|it| Some(it.variable)),
        },
        Column { name: "flag", heading: "FLAG", field: Field::Text(|it| Some(it.flag)) },
        Column { name: "reloads", heading: "RELOADS", field: Field::Flag(|it| it.reloads) },
        Column { name: "meaning", heading: "MEANING", field: Field::Text(|it| Some(it.meaning)) },
    ];
    const SHOWN: &'static [&'static str] = &["name", "value", "origin", "default"];
}

impl SettingView {
    fn new(setting: &Setting, settings: &Settings) -> Self {
        let set = settings.get(setting.key);
        Self {
            name: setting.name,
            value: set.map_or(serde_json::Value::Null, |set| json(&set.value)),
            layer: set.map_or("default", |set| layer(&set.origin)),
            origin: set.map(|set| set.origin.to_string()),
            default: setting.default,
            variable: setting.variable,
            flag: setting.flag,
            reloads: setting.reloads,
            meaning: setting.meaning,
            text: set.map(|set| set.value.to_string()),
        }
    }

    fn page(&self) -> Page {
        let mut page = Page::default();
        page.line("setting", self.name).line("meaning", self.meaning);
        if let (Some(value), Some(origin)) = (&self.text, &self.origin) {
            page.line("value", one_line(value)).line("from", one_line(origin));
        } else {
            page.line("value", "not set");
        }
        page.line("default", self.default).line("variable", self.variable).line("flag", self.flag);
        if self.reloads {
            page.line("reloads", "a torcd that runs takes a new value on SIGHUP");
        }
        page
    }
}

pub(super) fn run(ctx: &Context, args: &Show) -> Result<u8, CliError> {
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    if let Some(name) = &args.setting {
        check_format(stdout.format, SettingView::NOUN)?;
        let setting = key::find(name).ok_or_else(|| unknown(name))?;
        let view = SettingView::new(setting, &ctx.settings);
        if stdout.format.is_for_programs() {
            write_json(stdout.format, SettingView::NOUN, &view, stdout.open())?;
        } else {
            view.page().write(stdout.layout.palette, stdout.open())?;
        }
        return Ok(exit_code::DONE);
    }
    let mut list = stdout.list(&args.columns)?;
    for setting in &SETTINGS {
        list.item(&SettingView::new(setting, &ctx.settings))?;
    }
    list.end()?;
    Ok(exit_code::DONE)
}

fn unknown(name: &str) -> CliError {
    let hint = match key::nearest(name) {
        Some(meant) => format!("did you mean '{meant}'?"),
        None => "`torcctl config show` lists them all".to_owned(),
    };
    CliError::new(ErrorKind::NotFound, format!("there is no setting '{}'", one_line(name)))
        .hint(hint)
}

fn layer(origin: &Origin) -> &'static str {
    match origin {
        Origin::File { layer, .. } => layer.name(),
        Origin::Variable(_) => "environment",
        Origin::Flag(_) => "command line",
    }
}

fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Path(path) => path.to_string_lossy().into(),
        Value::Switch(is_on) => (*is_on).into(),
        Value::Number(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
    }
}

#[cfg(test)]
mod tests {
    use torc_protocol::config::key::Key;

    use super::*;

    #[test]
    fn what_is_set_has_its_value_and_its_place() {
        let mut settings = Settings::default();
        let keep = Key::SnapshotKeep.setting();
        let unset = SettingView::new(keep, &settings);
        assert_eq!(unset.value, serde_json::Value::Null);
        assert_eq!((unset.layer, unset.origin.as_deref()), ("default", None));
        assert_eq!(unset.text, None);
        settings.set_flag(Key::SnapshotKeep, Value::Number(3));
        let set = SettingView::new(keep, &settings);
        assert_eq!((set.value, set.text.as_deref()), (3.into(), Some("3")));
        assert_eq!((set.layer, set.origin.as_deref()), ("command line", Some("--snapshot-keep")));
    }

    #[test]
    fn the_columns_are_those_of_the_json() {
        let view = SettingView::new(&SETTINGS[0], &Settings::default());
        let json = serde_json::to_value(&view).unwrap();
        let mut keys: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let mut columns: Vec<_> = SettingView::COLUMNS.iter().map(|it| it.name).collect();
        keys.sort_unstable();
        columns.sort_unstable();
        assert_eq!(keys, columns);
        assert!(EXAMPLES.contains(&format!(
            "Columns: {}",
            SettingView::COLUMNS.iter().map(|it| it.name).collect::<Vec<_>>().join(", ")
        )));
    }
}
