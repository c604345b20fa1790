use super::*;

fn source(text: &str) -> Source {
    Source { name: "flow".into(), text: text.into() }
}

fn json_of(format: Format, text: &str) -> String {
    let source = source(text);
    let mut complaints = Complaints::new(source.clone());
    let node = parse(&source, Some(format), &mut complaints);
    assert!(complaints.is_empty(), "{complaints}");
    node.unwrap().to_json(&str::to_owned)
}

fn refusal(format: Format, text: &str) -> String {
    let source = source(text);
    let mut complaints = Complaints::new(source.clone());
    parse(&source, Some(format), &mut complaints);
    complaints.to_string()
}

/// Returns the first line of what is said.
fn first(format: Format, text: &str) -> String {
    refusal(format, text).lines().next().unwrap_or_default().to_owned()
}

fn guess(text: &str) -> String {
    let source = source(text);
    let mut complaints = Complaints::new(source.clone());
    match parse(&source, None, &mut complaints) {
        Some(node) => node.to_json(&str::to_owned),
        None => complaints.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

#[test]
fn yaml_has_anchors_aliases_and_merges() {
    let text = "a: &x {k: 1, l: [2, ~]}\nb: *x\nc: {<<: *x, k: 7}\nd: {k: 8, <<: [*x, {m: 3}]}\n";
    assert_eq!(
        json_of(Format::Yaml, text),
        r#"{"a":{"k":1,"l":[2,null]},"b":{"k":1,"l":[2,null]},"c":{"k":7,"l":[2,null]},"d":{"k":8,"l":[2,null],"m":3}}"#
    );
}

#[test]
fn yaml_text_can_have_many_lines() {
    let text = "a: |\n  #!/bin/bash\n  echo 'x: y' \\\n    z\nb: >-\n  one\n  two\nc: \"q\\tr\"\nd: !!str 5\n";
    assert_eq!(
        json_of(Format::Yaml, text),
        r##"{"a":"#!/bin/bash\necho 'x: y' \\\n  z\n","b":"one two","c":"q\tr","d":"5"}"##
    );
}

#[test]
fn mistakes_in_yaml_are_found_where_they_are() {
    assert_eq!(first(Format::Yaml, "a: 1\na: 2"), "error: flow:2:1: 'a' is given twice");
    assert_eq!(first(Format::Yaml, "a: 1\n---\nb: 2"), "error: flow:2:1: a second document begins");
    assert_eq!(
        first(Format::Yaml, "a: !odd 1"),
        "error: flow:1:9: the tag !odd has no meaning here"
    );
    assert_eq!(
        first(Format::Yaml, "a: 1\n{b: c}: 2"),
        "error: flow:2:1: a name is expected here, not a map"
    );
    assert_eq!(
        first(Format::Yaml, "a: &x [*x]"),
        "error: flow:1:8: the alias is inside of its own anchor"
    );
    assert_eq!(first(Format::Yaml, "a: 5\n<<: 3"), "error: flow:2:5: '<<' takes a map");
    assert!(first(Format::Yaml, "a: [1\nb: 2").starts_with("error: flow:2:2: not valid YAML: "));
    assert!(first(Format::Yaml, "a: *x").starts_with("error: flow:1:4: not valid YAML: "));
    assert_eq!(
        first(Format::Yaml, "- a"),
        "error: flow:1:1: a workflow is a map of fields, not a list"
    );
}

#[test]
fn aliases_cannot_blow_up_a_file() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&["a", &level.to_string(), ": &a", &level.to_string()].concat());
        text.push_str(&[" [", &aliases, "]\n"].concat());
    }
    insta::assert_snapshot!(refusal(Format::Yaml, &text), @r"
    error: flow:6:40: anchors and aliases blow the file up beyond all measure
     6 | a5: &a5 [*a4, *a4, *a4, *a4, *a4, *a4, *a4, *a4, *a4, *a4]
       |                                        ^
    hint: write out what is needed, or use parameters
    ");
}

#[test]
fn nested_anchors_cannot_blow_up_a_file() {
    let anchors: String = (0..90).map(|level| format!("&a{level} [")).collect();
    let text = format!("a: {anchors}{}{}", "x,".repeat(20_000), "]".repeat(90));
    let said = first(Format::Yaml, &text);
    assert!(said.ends_with("anchors and aliases blow the file up beyond all measure"), "{said}");
}

#[test]
fn nesting_has_an_end_in_every_format() {
    for (format, text) in [
        (Format::Yaml, format!("a: {}", "[".repeat(100_000))),
        (Format::Yaml, (0..2000).map(|depth| " ".repeat(depth) + "a:\n").collect()),
        (Format::Yaml, format!("a:\n{}", "- ".repeat(100_000))),
        (Format::Json, format!("{{\"a\": {}", "[".repeat(100_000))),
        (Format::Json5, "{a:".repeat(100_000)),
        (Format::Kdl, "a {".repeat(100_000)),
    ] {
        let said = first(format, &text);
        assert!(said.ends_with("nested more than 100 levels deep"), "{format:?}: {said}");
    }
}

#[test]
fn mistakes_in_json_come_with_a_remedy() {
    for text in ["{\"a\": 1,, \"b\": 2}", "{\"a\" 1}", "[1", "\"a"] {
        let hint = "hint: look at the commas, quotes and brackets here and before\n";
        let said = refusal(Format::Json, text);
        assert!(said.contains("not valid JSON: ") && said.ends_with(hint), "{said}");
    }
}

#[test]
fn json_is_strict_and_json5_is_not() {
    let json5 = "// c\n{a: 'x\\\n y', \"b\": [+1, .5, 5., 0x1F, -2e3,], /* d */ $c_1: null,}";
    assert_eq!(json_of(Format::Json5, json5), r#"{"a":"x y","b":[1,0.5,5.0,31,-2e3],"$c_1":null}"#);
    assert_eq!(
        json_of(Format::Json, r#"{"a": "\u00e9\ud83d\ude00\n", "b": {}, "c": []}"#),
        "{\"a\":\"é😀\\n\",\"b\":{},\"c\":[]}"
    );
    for (text, problem) in [
        ("{\"a\": 1,}", "1:8: JSON does not allow a comma before the closing bracket"),
        ("{a: 1}", "1:2: JSON does not allow a name without quotes"),
        ("{\"a\": 'x'}", "1:7: JSON does not allow single quotes"),
        ("{\"a\": 1} // x", "1:10: JSON does not allow comments"),
        ("{\"a\": 1 \"b\": 2}", "1:9: not valid JSON: expected a comma or '}', and found text"),
        ("{\"a\": [1 2]}", "1:10: not valid JSON: expected a comma or ']', and found a number"),
        ("{\"a\" 1}", "1:6: not valid JSON: expected ':', and found a number"),
        ("{\"a\": }", "1:7: not valid JSON: expected a value, and found '}'"),
        ("{\"a\": yes}", "1:7: expected a value, and found the word 'yes'"),
        ("{\"a\": \"x", "1:7: not valid JSON: the quotes are not closed on this line"),
        ("{\"a\": \"\\q\"}", "1:8: not valid JSON: '\\q' has no meaning in text"),
        ("{\"a\": 01}", "1:7: not valid JSON: '01' is no number"),
        (
            "{\"a\": 1",
            "1:8: not valid JSON: expected a comma or '}', and found the end of the file",
        ),
        ("{} {}", "1:4: not valid JSON: '{' after the end of the document"),
        ("{\"a\": 1, \"a\": 2}", "1:10: 'a' is given twice"),
        ("{,}", "1:2: not valid JSON: expected a name or '}', and found a comma"),
    ] {
        assert_eq!(first(Format::Json, text), format!("error: flow:{problem}"), "{text}");
    }
    assert!(first(Format::Json5, "{a: NaN}").ends_with("NaN has no meaning here"));
}

#[test]
fn kdl_nodes_become_fields() {
    let text = r##"
        name "x"
        /-description "not this"
        job "a" { command #"echo "hi""#; depends_on "b" "c"; depends_on_job "d"; input_file "f"
            env { A 1; B "two" }
            parameters { i "1:3"; j 1 2 }
            stdio mode="none" delete_on_success=#true
        }
        jobs { job "b" command="x"; job "c" { command "y"; labels { - "l"; - "m" } } }
        file "f" path="f.txt"
        user_data "u" { data "{\"k\": [1, 2.50]}" }
        user_data "v" { data { k 1; l { - 2 } } }
        failure_handler "h" { rule { exit_codes 1 2 }; rule match_all_exit_codes=#true }
        resource_requirements "r" { num_cpus 2; memory null }
        odd 5
    "##;
    let text = text.replace("null }", "#null }");
    insta::assert_snapshot!(json_of(Format::Kdl, &text));
}

#[test]
fn mistakes_in_kdl_are_found_where_they_are() {
    assert_eq!(
        first(Format::Kdl, "name \"a\"\nname \"b\""),
        "error: flow:2:1: 'name' is given twice"
    );
    assert!(first(Format::Kdl, "name \"a\"\njob {{").starts_with("error: flow:2:"));
    let large = "// x\n".repeat(2 << 20);
    assert_eq!(first(Format::Kdl, &large), "error: flow:1:1: more than 8 MiB of KDL");
    assert!(first(Format::Kdl, "name true").starts_with("error: flow:1:6: not valid KDL: "));
}

#[test]
fn without_an_ending_the_text_tells_the_format() {
    for text in ["{\"name\": \"x\"}", "{name: 'x',}", "name: x\n", "name \"x\"\n"] {
        assert_eq!(guess(text), r#"{"name":"x"}"#, "{text}");
    }
    for (text, problem) in [
        (
            "{\"name\": \"x\"\n\"a\": 1}",
            "2:1: not valid JSON: expected a comma or '}', and found text",
        ),
        (
            "// x\n{name: 'x'\na: 1}",
            "3:1: not valid JSON5: expected a comma or '}', and found the word 'a'",
        ),
        ("name: x\njobs:\n  - a: [\n", "3:8: not valid YAML: "),
        ("name \"x\"\njob \"a\" {\n", "2:"),
        ("just words", "1:1: a workflow is a map of fields, not text"),
        (" \n", "1:1: the file is empty"),
        ("# nothing yet\n", "1:1: the file is empty"),
    ] {
        assert!(
            guess(text).starts_with(&format!("error: flow:{problem}")),
            "{text}: {}",
            guess(text)
        );
    }
}

#[test]
fn endings_tell_the_format() {
    for (path, format) in [
        ("a.yaml", Some(Format::Yaml)),
        ("a.YML", Some(Format::Yaml)),
        ("a.json5", Some(Format::Json5)),
        ("b/a.kdl", Some(Format::Kdl)),
        ("a.txt", None),
        ("-", None),
    ] {
        assert_eq!(Format::of(Path::new(path)), format, "{path}");
    }
}
