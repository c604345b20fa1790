//! What a stranger, a fault or an attacker may put on the wire: it is refused, quickly, with a
//! sentence, and nothing panics.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_util::codec::Decoder;
use torc_protocol::codec::{Codec, CodecError, MAX_FRAME, decode, encode, frame};
use torc_protocol::connection::{ConnectionError, HELLO_TIMEOUT, ServerSide};
use torc_protocol::hello::{Hello, HelloError, PROTOCOL_VERSION};
use torc_protocol::request::{Ping, SubmitJobs};
use torc_protocol::spec::{Command, JobSpec};

use crate::message::{Golden, Request, Response, WorkerEvent, WorkerRequest};

type Requests = Codec<Request, Response>;

#[test]
fn a_frame_of_four_gigabytes_is_refused_before_anything_is_allocated() {
    for length in [u32::MAX, MAX_FRAME as u32 + 1] {
        let mut source = BytesMut::with_capacity(64);
        source.put_u32_le(length);
        source.put_slice(b"begin");
        let error = Requests::default().decode(&mut source).unwrap_err();
        assert!(matches!(error, CodecError::Io(_)), "{error}");
        assert!(source.capacity() <= 64, "{} bytes were reserved", source.capacity());
    }
}

#[test]
fn a_frame_that_is_not_all_there_is_waited_for() {
    for (variant, request) in Request::all() {
        let whole = frame(&request).unwrap();
        for length in 0..whole.len() {
            let mut source = BytesMut::from(&whole[..length]);
            let decoded = Requests::default().decode(&mut source).unwrap();
            assert_eq!(decoded, None, "{variant}, {length} of {} bytes", whole.len());
        }
    }
}

#[test]
fn a_stream_that_ends_within_a_frame_is_an_error() {
    let whole = frame(Request::all().remove(2).1).unwrap();
    for length in 1..whole.len() {
        let mut source = BytesMut::from(&whole[..length]);
        let error = Requests::default().decode_eof(&mut source).unwrap_err();
        assert!(matches!(error, CodecError::Io(_)), "{error}");
    }
}

#[test]
fn bytes_left_over_and_bytes_missing_are_refused() {
    for (variant, request) in Request::all() {
        let payload = encode(&request).unwrap();
        let mut longer = payload.clone();
        longer.push(0);
        let error = decode::<Request>(&longer).unwrap_err();
        assert!(error.to_string().contains("1 bytes left over"), "{variant}: {error}");
        let shorter = decode::<Request>(&payload[..payload.len() - 1]);
        assert!(matches!(shorter, Err(CodecError::Malformed(_))), "{variant}: {shorter:?}");
    }
}

#[test]
fn a_length_within_a_message_does_not_allocate_what_it_announces() {
    // `SubmitJobs` is variant 3; 253 announces a length of eight bytes.
    let mut payload = vec![3, 253];
    payload.put_u64_le(1 << 40);
    let error = decode::<Request>(&payload).unwrap_err();
    assert!(matches!(error, CodecError::Malformed(_)), "{error}");
}

#[test]
fn a_frame_of_the_smallest_jobs_takes_no_more_than_twenty_times_its_size() {
    let encoded = encode(&JobSpec::default()).unwrap().len();
    let decoded = size_of::<JobSpec>();
    assert!(decoded <= 20 * encoded, "{encoded} bytes become {decoded}");
}

#[test]
fn a_message_over_the_limit_is_refused_where_it_is_made() {
    let job = JobSpec {
        name: "big".to_owned(),
        command: Command::Line("x".repeat(MAX_FRAME)),
        ..JobSpec::default()
    };
    let request = Request::from(SubmitJobs { jobs: vec![job] });
    assert!(matches!(encode(&request), Err(CodecError::TooLarge(_))));
    assert!(matches!(frame(&request), Err(CodecError::TooLarge(_))));
}

/// A sequence of numbers that is the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

fn decode_as_everything(payload: &[u8]) -> usize {
    let valid = [
        decode::<Request>(payload).is_ok(),
        decode::<Response>(payload).is_ok(),
        decode::<WorkerRequest>(payload).is_ok(),
        decode::<WorkerEvent>(payload).is_ok(),
    ];
    valid.into_iter().filter(|is_valid| *is_valid).count()
}

#[test]
fn random_bytes_never_panic() {
    let mut numbers = Numbers(0x5eed);
    let mut refused = 0;
    for _ in 0..20_000 {
        let payload: Vec<u8> = (0..numbers.below(64)).map(|_| numbers.next() as u8).collect();
        refused += 4 - decode_as_everything(&payload);
    }
    assert!(refused > 40_000, "only {refused} were refused: is anything checked?");
}

#[test]
fn messages_with_a_changed_byte_never_panic() {
    let mut numbers = Numbers(0xfeed);
    let mut payloads: Vec<Vec<u8>> = Vec::new();
    payloads.extend(Request::all().iter().map(|(_, message)| encode(message).unwrap()));
    payloads.extend(Response::all().iter().map(|(_, message)| encode(message).unwrap()));
    payloads.extend(WorkerRequest::all().iter().map(|(_, message)| encode(message).unwrap()));
    payloads.extend(WorkerEvent::all().iter().map(|(_, message)| encode(message).unwrap()));
    for payload in payloads {
        assert!(decode_as_everything(&payload) > 0);
        for _ in 0..200 {
            let mut changed = payload.clone();
            let at = numbers.below(changed.len());
            changed[at] = numbers.next() as u8;
            decode_as_everything(&changed);
        }
    }
}

/// Opens the server's side against a client that sends these bytes and then keeps still.
async fn greeted_with(
    bytes: &[u8],
) -> (Result<ServerSide<DuplexStream>, ConnectionError>, DuplexStream) {
    let (server, mut client) = duplex(1024);
    client.write_all(bytes).await.unwrap();
    (ServerSide::open(server).await, client)
}

#[tokio::test]
async fn a_hello_of_ours_opens_the_connection_for_messages() {
    let mut bytes = Hello::ours().encode();
    bytes.extend_from_slice(&frame(Request::from(Ping)).unwrap());
    let (server, mut client) = greeted_with(&bytes).await;
    let request = server.unwrap().receive().await.unwrap();
    assert_eq!(request, Some(Request::from(Ping)));
    assert_eq!(Hello::read(&mut client).await.unwrap(), Hello::ours());
}

#[tokio::test]
async fn garbage_in_place_of_a_hello_is_no_torc() {
    let too_long = {
        let mut bytes = Hello::ours().encode();
        bytes[12..16].copy_from_slice(&65_u32.to_le_bytes());
        bytes
    };
    let not_text = {
        let mut bytes = Hello { protocol: PROTOCOL_VERSION, version: "abc".to_owned() }.encode();
        bytes[16..].copy_from_slice(b"\xff\xff\xff");
        bytes
    };
    for bytes in [b"GET / HTTP/1.1\r\nHost: x\r\n".to_vec(), vec![0; 64], too_long, not_text] {
        let (server, _client) = greeted_with(&bytes).await;
        let error = server.unwrap_err();
        assert!(matches!(error, ConnectionError::Hello(HelloError::NotTorc)), "{error}");
    }
}

#[tokio::test]
async fn another_protocol_is_refused_with_both_versions() {
    let theirs = Hello { protocol: PROTOCOL_VERSION + 1, version: "9.9.9".to_owned() };
    let (server, mut client) = greeted_with(&theirs.encode()).await;
    let message = server.unwrap_err().to_string();
    assert!(message.contains(&format!("protocol {} (torc 9.9.9)", theirs.protocol)), "{message}");
    assert!(message.contains(&format!("this one {PROTOCOL_VERSION} ")), "{message}");
    // The other side was greeted all the same, so it can tell its user, too.
    assert_eq!(Hello::read(&mut client).await.unwrap(), Hello::ours());
}

#[tokio::test]
async fn a_connection_that_ends_within_the_hello_is_told_so() {
    let (server, mut client) = duplex(1024);
    client.write_all(&Hello::ours().encode()[..9]).await.unwrap();
    client.shutdown().await.unwrap();
    let error = ServerSide::open(server).await.unwrap_err();
    assert!(matches!(error, ConnectionError::Hello(HelloError::Io(_))), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_hello_that_never_ends_is_not_waited_for_for_ever() {
    let begun = tokio::time::Instant::now();
    let (server, mut client) = greeted_with(&Hello::ours().encode()[..15]).await;
    assert!(matches!(server, Err(ConnectionError::HelloTimeout)));
    let waited = begun.elapsed();
    assert!((HELLO_TIMEOUT..HELLO_TIMEOUT + Duration::from_secs(1)).contains(&waited));
    let mut all = Vec::new();
    client.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, Hello::ours().encode(), "the connection is closed after our hello");
}
