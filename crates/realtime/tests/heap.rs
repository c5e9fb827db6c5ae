//! What decoding a hostile text costs: it is refused before more memory is spent than a value may have. Nothing else may
//! run meanwhile.

use peak_alloc::PeakAlloc;
use realtime::model::{LEAVES_MAX, SPARSE_BYTES_MAX, Sparse, Write, decode_value};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// What the largest value may hold in memory.
const BYTES_MAX: usize = 128 * 1024 * 1024;

/// Bytes at most, beyond what was there before.
fn peak(work: impl FnOnce()) -> usize {
    HEAP.reset_peak_usage();
    let before = HEAP.current_usage();
    work();
    HEAP.peak_usage().saturating_sub(before)
}

#[test]
fn what_is_too_much_is_refused_before_memory_is_spent() {
    let chain = format!("{}1{}", "{\"a\":".repeat(31), "}".repeat(31));
    let list = |item: &str, bytes: usize| format!("[{}", format!("{item},").repeat(bytes / (item.len() + 1)));
    const TEXT_BYTES: usize = 32 * 1024 * 1024;
    let hostile = [
        ("leaves", list("1", TEXT_BYTES)),
        ("empty texts", list("\"\"", TEXT_BYTES)),
        ("chains", list(&chain, TEXT_BYTES)),
        ("arrays", list("[1]", TEXT_BYTES)),
        ("priorities", list("{\".value\":1,\".priority\":1}", TEXT_BYTES)),
        ("server values", list("{\".sv\":\"timestamp\"}", TEXT_BYTES)),
        ("nulls", list("null", TEXT_BYTES)),
        ("empty objects", list("{}", TEXT_BYTES)),
        ("null children", list("{\"a\":null}", TEXT_BYTES)),
        ("depth", "[".repeat(TEXT_BYTES)),
    ];
    for (name, text) in hostile {
        let bytes = peak(|| assert!(decode_value(&text, 32).is_err(), "{name}"));
        println!("{name}: {bytes} bytes");
        assert!(bytes < BYTES_MAX, "{name}: {bytes} bytes");
    }
    let paths: Vec<String> = (0..LEAVES_MAX * 2).map(|n| format!("\"{n:0100}/a\":null")).collect();
    let update = format!("{{{}}}", paths.join(","));
    let bytes = peak(|| assert!(Write::update("", &update).is_err()));
    println!("update: {bytes} bytes of a text of {}", update.len());
    assert!(bytes < 2 * update.len());

    let largest = format!("[{}1]", "1,".repeat(LEAVES_MAX - 1));
    let bytes = peak(|| drop(decode_value(&largest, 32).unwrap()));
    println!("the largest value: {} bytes for each leaf", bytes / LEAVES_MAX);

    let mut sparse = Sparse::default();
    let value = decode_value("true", 32).unwrap();
    let bytes = peak(|| {
        let full = (0..10_000_000).find(|n| {
            let path = realtime::model::Path::parse(&format!("a{n}/b")).unwrap();
            sparse.remember(&path, value.clone()).is_err()
        });
        println!("onDisconnect is full after {} writes", full.unwrap());
    });
    println!("onDisconnect: {bytes} bytes");
    assert!(bytes < 2 * SPARSE_BYTES_MAX);
}
