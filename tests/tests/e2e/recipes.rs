//! The recipes of `docs/scripting.md`, as users copy them.

use std::path::Path;

use torc_tests::recipes::{PAGE, recipes};

use crate::{torc, with_torc_in_path};

#[test]
fn every_recipe_prints_what_the_page_says_and_leaves_nothing_behind() {
    let recipes = recipes();
    assert!(recipes.len() >= 10, "{PAGE} has only {} recipes", recipes.len());
    for recipe in recipes {
        let torc = torc();
        let script = torc.root().join("recipe.sh");
        std::fs::write(&script, &recipe.script).unwrap();
        let call = torc.program(Path::new("bash")).args(["-euo", "pipefail"]).args([&script]);
        let outcome = with_torc_in_path(call, &torc).run();
        assert_eq!(outcome.status.code(), Some(0), "'{}': {outcome}", recipe.heading);
        assert_eq!(outcome.stdout, recipe.output, "'{}': {outcome}", recipe.heading);
        torc.wait_for_silence();
        assert!(torc.sockets().is_empty(), "'{}' leaves a socket", recipe.heading);
    }
}
