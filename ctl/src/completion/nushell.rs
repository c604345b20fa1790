//! Nushell: an external completer, which asks `torcctl complete`.

/// Returns the script. Other programs keep the completer that they have.
pub(super) fn script(program: &str) -> String {
    format!(
        r#"# Completes the command line of {program}; for `source` in config.nu.
let torc_completer_before = $env.config.completions.external.completer?
$env.config.completions.external.enable = true
$env.config.completions.external.completer = {{|spans|
    if ($spans | first) == "{program}" {{
        ^{program} complete -- ...$spans | from json | update value {{|it|
            if $it.value =~ '[\s"''`|;()\[\]{{}}$#*?]' {{ $it.value | to json }} else {{ $it.value }}
        }}
    }} else if $torc_completer_before != null {{
        do $torc_completer_before $spans
    }}
}}
"#
    )
}
