//! What reading costs in memory, told by an allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tickbench_frame::{Decoder, Inbox, Mask, Opcode, write_frame};

thread_local! {
    /// Bytes that this thread holds.
    static HELD: Cell<usize> = const { Cell::new(0) };
    /// How often it asked for some.
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator as it came; what is counted has no destructor and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.set(ASKED.get() + 1);
        HELD.set(HELD.get().wrapping_add(layout.size()));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub(layout.size()));
        // SAFETY: the caller keeps the contract of `dealloc`, and `pointer` is from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn frame(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    write_frame(&mut frame, fin, opcode, Mask::None, payload);
    frame
}

#[test]
fn a_frame_that_is_whole_is_read_without_an_allocation() {
    let long = "é".repeat(40_000);
    let frames = [
        frame(true, Opcode::Text, b"short"),
        frame(true, Opcode::Text, long.as_bytes()),
        frame(true, Opcode::Binary, &[0xff; 300]),
        frame(true, Opcode::Ping, &[0; 125]),
        frame(true, Opcode::Close, b"\x03\xe8bye"),
    ];
    let mut decoder = Decoder::new(1 << 20);
    for frame in &frames {
        let asked = ASKED.get();
        assert!(decoder.next(&mut frame.as_slice()).unwrap().is_some());
        assert_eq!(ASKED.get(), asked, "{:x?}", &frame[..4]);
    }
}

#[test]
fn fragments_are_held_no_longer_than_their_message() {
    let bytes =
        [frame(false, Opcode::Binary, &[1; 5000]), frame(true, Opcode::Continuation, &[2; 5000])].concat();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let mut decoder = Decoder::new(1 << 20);
    let held = HELD.get();
    assert_eq!(decoder.next(&mut &first[..]), Ok(None));
    assert!(HELD.get() >= held + 5000);
    assert!(decoder.next(&mut &second[..]).unwrap().is_some());
    assert_eq!(HELD.get(), held);
}

#[test]
fn an_inbox_gives_back_what_a_large_frame_took() {
    const USUAL: usize = 4096;
    let frame = frame(true, Opcode::Binary, &[0; 700_000]);
    let held = HELD.get();
    let (mut inbox, mut decoder) = (Inbox::new(USUAL), Decoder::new(1 << 20));
    let mut rest = frame.as_slice();
    while !rest.is_empty() {
        let space = inbox.space(&decoder);
        assert!(!space.is_empty());
        let count = space.len().min(rest.len());
        space[..count].copy_from_slice(&rest[..count]);
        inbox.add(count);
        rest = &rest[count..];
    }
    assert!(HELD.get() >= held + frame.len());
    assert!(decoder.next(&mut inbox.unread()).unwrap().is_some());
    inbox.keep_last(0);
    inbox.space(&decoder);
    assert_eq!(HELD.get(), held + USUAL);
}

#[test]
fn an_inbox_of_its_usual_size_grows_once_a_frame_has_taken_more_than_half_of_it() {
    const USUAL: usize = 4096;
    let frame = frame(true, Opcode::Binary, &[0; 700_000]);
    let decoder = Decoder::new(1 << 20);
    for (unread, room) in [(10, USUAL), (USUAL / 2, USUAL), (USUAL / 2 + 1, frame.len())] {
        let held = HELD.get();
        let mut inbox = Inbox::new(USUAL);
        inbox.space(&decoder)[..unread].copy_from_slice(&frame[..unread]);
        inbox.add(unread);
        assert_eq!(inbox.space(&decoder).len(), room - unread);
        assert_eq!(HELD.get(), held + room, "{unread} bytes");
    }
}
