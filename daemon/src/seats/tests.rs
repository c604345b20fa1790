use futures_util::FutureExt;

use super::*;

const MEMORY: usize = 100;

fn seats(connections: usize) -> Seats {
    Seats::new(Limits { memory: MEMORY, patience: Duration::ZERO, ..Limits::new(connections) })
}

fn patient() -> Seats {
    Seats::new(Limits { memory: MEMORY, ..Limits::new(9) })
}

fn is_cut(seat: &Seat) -> bool {
    seat.account().lost().now_or_never().is_some()
}

async fn take(seats: &Seats) -> Seat {
    seats.take().await.expect("there is room")
}

#[tokio::test]
async fn whoever_has_not_said_hello_goes_first_then_who_is_idle_and_who_works_never() {
    let seats = seats(3);
    let [working, idle, silent] = [take(&seats).await, take(&seats).await, take(&seats).await];
    idle.is_idle();
    working.works().unwrap();
    let mut next = Box::pin(seats.take());
    assert!(next.as_mut().now_or_never().is_none(), "nobody has gone yet");
    assert!(is_cut(&silent) && !is_cut(&idle) && !is_cut(&working));
    assert!(next.as_mut().now_or_never().is_none(), "it is still on the way out");
    assert!(!is_cut(&idle), "one is enough");
    drop(silent);
    let new = next.await.unwrap();
    new.works().unwrap();
    let mut next = Box::pin(seats.take());
    assert!(next.as_mut().now_or_never().is_none());
    assert!(is_cut(&idle) && !is_cut(&working) && !is_cut(&new));
    assert_eq!(idle.works(), Err(Cut), "its request comes too late");
    drop(idle);
    next.await.unwrap().works().unwrap();
}

#[tokio::test]
async fn the_one_that_was_idle_longest_goes() {
    let seats = seats(2);
    let [first, second] = [take(&seats).await, take(&seats).await];
    second.is_idle();
    first.is_idle();
    assert!(seats.take().now_or_never().is_none());
    assert!(is_cut(&second) && !is_cut(&first));
}

#[tokio::test]
async fn nobody_is_let_in_where_all_work() {
    let seats = seats(1);
    let only = take(&seats).await;
    only.works().unwrap();
    assert!(seats.take().await.is_none());
    only.is_idle();
    assert!(seats.take().now_or_never().is_none(), "now somebody has to go");
    assert!(is_cut(&only));
}

#[tokio::test]
async fn who_does_not_move_what_it_holds_goes_when_others_need_the_memory() {
    let seats = seats(9);
    let [stuck, alive, new] = [take(&seats).await, take(&seats).await, take(&seats).await];
    stuck.account().hold(60).await.unwrap();
    alive.account().hold(40).await.unwrap();
    alive.account().release(1);
    assert_eq!(new.account().try_hold(2), Ok(false));
    let mut wanted = Box::pin(new.account().hold(2));
    assert!(wanted.as_mut().now_or_never().is_none());
    assert!(is_cut(&stuck) && !is_cut(&alive) && !is_cut(&new));
    assert_eq!(stuck.account().hold(1).await, Err(Cut));
    let outlived = stuck.account().clone();
    drop(stuck);
    wanted.await.unwrap();
    outlived.release(60);
    assert_eq!(new.account().try_hold(59), Ok(true), "39 and 2 are in use");
    assert_eq!(new.account().try_hold(1), Ok(false));
}

#[tokio::test]
async fn nobody_goes_who_has_held_memory_for_a_moment_only() {
    let seats = patient();
    let [one, other] = [take(&seats).await, take(&seats).await];
    one.account().hold(MEMORY).await.unwrap();
    let mut wanted = Box::pin(other.account().hold(1));
    assert!(wanted.as_mut().now_or_never().is_none());
    assert!(!is_cut(&one));
    one.account().release(1);
    wanted.await.unwrap();
}

#[tokio::test]
async fn one_alone_may_hold_more_than_there_is() {
    let seats = patient();
    let [only, other] = [take(&seats).await, take(&seats).await];
    only.account().hold(MEMORY + 1).await.unwrap();
    assert_eq!(other.account().try_hold(1), Ok(false));
    drop(only);
    assert_eq!(other.account().try_hold(1), Ok(true));
}
