//! Which snapshots stay, and under which name.

use std::fs;

use rusqlite::Connection;
use torc_protocol::id::Generation;
use torc_protocol::view::SnapshotPhase;
use torcd::store::verify::verify;

use crate::place::Place;

#[tokio::test]
async fn older_snapshots_move_up_and_go_when_they_are_too_many() {
    let place = Place::new();
    for generation in 1..=5 {
        place.write(3, generation).await.unwrap();
    }
    place.assert_holds(&[("torc.db", 5), ("torc.db.1", 4), ("torc.db.2", 3)]);
    place.write(2, 6).await.unwrap();
    place.assert_holds(&[("torc.db", 6), ("torc.db.1", 5)]);
    place.write(1, 7).await.unwrap();
    place.assert_holds(&[("torc.db", 7)]);
    place.write(1, 8).await.unwrap();
    place.assert_holds(&[("torc.db", 8)]);
}

#[tokio::test]
async fn a_gap_is_filled_before_anything_goes() {
    let place = Place::new();
    for generation in 1..=3 {
        place.write(3, generation).await.unwrap();
    }
    fs::remove_file(place.older(1)).unwrap();
    place.write(3, 4).await.unwrap();
    place.assert_holds(&[("torc.db", 4), ("torc.db.1", 3), ("torc.db.2", 1)]);
}

#[tokio::test]
async fn a_writer_that_died_before_the_last_step_costs_no_older_snapshot() {
    let place = Place::new();
    place.write(3, 1).await.unwrap();
    place.write(3, 2).await.unwrap();
    fs::rename(place.older(1), place.older(2)).unwrap();
    fs::hard_link(&place.target, place.older(1)).unwrap();
    place.write(3, 3).await.unwrap();
    place.assert_holds(&[("torc.db", 3), ("torc.db.1", 2), ("torc.db.2", 1)]);
}

#[tokio::test]
async fn what_users_named_is_not_rotated() {
    let place = Place::new();
    place.write(1, 1).await.unwrap();
    let copy = place.target.with_file_name("torc.db.20260131");
    fs::copy(&place.target, &copy).unwrap();
    fs::write(place.older(7), "my thesis").unwrap();
    place.write(1, 2).await.unwrap();
    assert_eq!(verify(&copy).unwrap().generation, Generation(1));
    assert_eq!(fs::read_to_string(place.older(7)).unwrap(), "my thesis");
}

#[tokio::test]
async fn a_writer_that_was_stuck_does_not_replace_what_came_after_it() {
    let place = Place::new();
    let stuck = place.image(1);
    place.write(2, 2).await.unwrap();
    let failure = place.write_image(stuck, 2, 1).await.unwrap_err();
    assert_eq!(failure.phase, SnapshotPhase::Publish);
    assert!(failure.reason.contains("generation 2"), "{}", failure.reason);
    place.assert_holds(&[("torc.db", 2)]);
}

#[tokio::test]
async fn what_somebody_has_added_to_is_not_replaced() {
    let place = Place::new();
    place.write(2, 1).await.unwrap();
    let added = "CREATE VIEW mine AS SELECT name FROM job";
    Connection::open(&place.target).unwrap().execute_batch(added).unwrap();
    let before = fs::read(&place.target).unwrap();
    let failure = place.write(2, 2).await.unwrap_err();
    assert_eq!(failure.phase, SnapshotPhase::Publish);
    assert!(failure.reason.contains("\"mine\" is not of its making"), "{}", failure.reason);
    assert_eq!(fs::read(&place.target).unwrap(), before);
    assert_eq!(fs::read_dir(place.target.parent().unwrap()).unwrap().count(), 1);
}
