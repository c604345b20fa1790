//! The command reference, `docs/cli.md`: Markdown from the same description that clap parses by.
//!
//! Global options are told once, hidden commands and options not at all.

use std::fmt::{self, Write};

use clap::{Arg, Command};

/// Returns the reference of `command` and all commands below it.
#[must_use]
pub fn markdown(mut command: Command) -> String {
    command.build();
    let mut page = String::new();
    // Writing to a string does not fail.
    let _ = write_page(&mut page, &command);
    page
}

fn write_page(page: &mut String, root: &Command) -> fmt::Result {
    let name = root.get_name();
    writeln!(page, "# {name}: command reference\n")?;
    writeln!(page, "<!-- Generated from the command line itself; do not edit. -->\n")?;
    write_about(page, root)?;
    let commands = leaves(root, name);
    for (path, command) in &commands {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        writeln!(page, "- [`{path}`](#{}): {about}", path.replace(' ', "-"))?;
    }
    writeln!(page, "\n## Global options\n\nEvery command takes these.\n")?;
    let global = |arg: &&Arg| arg.is_global_set() && !arg.is_hide_set();
    for arg in root.get_arguments().filter(global) {
        write_arg(page, arg)?;
    }
    for (path, command) in &commands {
        write_command(page, path, command)?;
    }
    Ok(())
}

/// Returns every command that can be run, with its whole name.
fn leaves<'a>(command: &'a Command, path: &str) -> Vec<(String, &'a Command)> {
    let below = command.get_subcommands().filter(|below| !below.is_hide_set());
    below
        .flat_map(|below| {
            let path = format!("{path} {}", below.get_name());
            let mut all = leaves(below, &path);
            if !below.is_subcommand_required_set() {
                all.insert(0, (path, below));
            }
            all
        })
        .collect()
}

fn write_command(page: &mut String, path: &str, command: &Command) -> fmt::Result {
    writeln!(page, "\n## {path}\n")?;
    write_about(page, command)?;
    let usage = command.clone().render_usage().to_string();
    writeln!(page, "```text\n{}\n```", usage.trim_start_matches("Usage: ").trim_end())?;
    let mut heading = None;
    let own = |arg: &&Arg| !arg.is_global_set() && !arg.is_hide_set() && !is_everywhere(arg);
    let (positional, options): (Vec<_>, Vec<_>) =
        command.get_arguments().filter(own).partition(|arg| arg.is_positional());
    for arg in positional.into_iter().chain(options) {
        let default = if arg.is_positional() { "Arguments" } else { "Options" };
        let its = arg.get_help_heading().unwrap_or(default);
        if heading != Some(its) {
            writeln!(page, "\n**{its}**\n")?;
            heading = Some(its);
        }
        write_arg(page, arg)?;
    }
    if let Some(text) = command.get_after_help() {
        write_after_help(page, &text.to_string())?;
    }
    Ok(())
}

/// Returns whether clap itself adds this to every command.
fn is_everywhere(arg: &Arg) -> bool {
    arg.get_id() == "help" || arg.get_id() == "version"
}

fn write_about(page: &mut String, command: &Command) -> fmt::Result {
    match command.get_long_about().or_else(|| command.get_about()) {
        Some(about) => writeln!(page, "{about}\n"),
        None => Ok(()),
    }
}

/// Paragraphs that are examples are shown as they stand, others as text.
fn write_after_help(page: &mut String, text: &str) -> fmt::Result {
    for paragraph in text.split("\n\n") {
        match paragraph.strip_prefix("Examples:\n") {
            Some(examples) => {
                writeln!(page, "\n**Examples**\n\n```sh\n{}\n```", unindent(examples))?;
            }
            None => writeln!(page, "\n{paragraph}")?,
        }
    }
    Ok(())
}

fn unindent(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
    lines.join("\n")
}

fn write_arg(page: &mut String, arg: &Arg) -> fmt::Result {
    let help = arg.get_long_help().or_else(|| arg.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    write!(page, "- `{}`: {}", syntax(arg), help.replace("\n\n", ". ").replace('\n', " "))?;
    for (what, values) in remarks(arg) {
        write!(page, " ({what}: {values})")?;
    }
    writeln!(page)?;
    if arg.get_action().takes_values() && !arg.is_hide_possible_values_set() {
        for value in arg.get_possible_values().iter().filter(|value| !value.is_hide_set()) {
            if let Some(help) = value.get_help() {
                writeln!(page, "  - `{}`: {help}", value.get_name())?;
            }
        }
    }
    Ok(())
}

/// Returns how it is written: `-j, --max-parallel-jobs <N>`.
fn syntax(arg: &Arg) -> String {
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let names: Vec<_> = short.into_iter().chain(long).collect();
    let values: Vec<_> = arg.get_value_names().unwrap_or_default().iter().collect();
    let value = values.iter().map(|name| format!("<{name}>")).collect::<Vec<_>>().join(" ");
    let is_optional = arg.get_num_args().is_some_and(|range| range.min_values() == 0);
    match (names.is_empty(), arg.get_action().takes_values()) {
        (true, _) if arg.is_last_set() => format!("-- {value}..."),
        (true, _) if arg.is_required_set() => value,
        (true, _) => format!("[{}]", value.trim_matches(['<', '>'])),
        (false, false) => names.join(", "),
        (false, true) if is_optional && arg.is_require_equals_set() => {
            format!("{}[={value}]", names.join(", "))
        }
        (false, true) => format!("{} {value}", names.join(", ")),
    }
}

fn remarks(arg: &Arg) -> Vec<(&'static str, String)> {
    let mut remarks = Vec::new();
    let quoted = |values: Vec<String>| {
        values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
    };
    if !arg.get_action().takes_values() {
        return remarks;
    }
    let possible = arg.get_possible_values();
    if !possible.is_empty() && possible.iter().all(|value| value.get_help().is_none()) {
        remarks
            .push(("one of", quoted(possible.iter().map(|v| v.get_name().to_owned()).collect())));
    }
    let defaults = arg.get_default_values();
    if !defaults.is_empty() && !arg.is_hide_default_value_set() {
        let values = defaults.iter().map(|value| value.to_string_lossy().into_owned()).collect();
        remarks.push(("default", quoted(values)));
    }
    if let Some(variable) = arg.get_env() {
        remarks.push(("environment", quoted(vec![variable.to_string_lossy().into_owned()])));
    }
    remarks
}

#[cfg(test)]
mod tests {
    use clap::{Arg, ArgAction};

    use super::*;

    fn sample() -> Command {
        let global = Arg::new("quiet").long("quiet").short('q').global(true);
        let wait = Arg::new("wait").long("wait").num_args(0..=1).require_equals(true);
        Command::new("tool")
            .about("Do things")
            .disable_help_subcommand(true)
            .arg(global.action(ArgAction::SetTrue).help("Say nothing"))
            .subcommand(
                Command::new("go")
                    .about("Go somewhere")
                    .arg(Arg::new("place").required(true).value_name("PLACE").help("Where to"))
                    .arg(wait.value_name("SECS").help("Wait").default_value("3"))
                    .arg(Arg::new("secret").long("secret").hide(true))
                    .after_help("Examples:\n  tool go home\n\nExit codes: none"),
            )
            .subcommand(Command::new("hidden").hide(true))
    }

    #[test]
    fn the_reference_tells_each_thing_once() {
        insta::assert_snapshot!(markdown(sample()), @"
        # tool: command reference

        <!-- Generated from the command line itself; do not edit. -->

        Do things

        - [`tool go`](#tool-go): Go somewhere

        ## Global options

        Every command takes these.

        - `-q, --quiet`: Say nothing

        ## tool go

        Go somewhere

        ```text
        tool go [OPTIONS] <PLACE>
        ```

        **Arguments**

        - `<PLACE>`: Where to

        **Options**

        - `--wait[=<SECS>]`: Wait (default: `3`)

        **Examples**

        ```sh
        tool go home
        ```

        Exit codes: none
        ");
    }
}
