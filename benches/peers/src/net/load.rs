//! The load generator: the other end of every connection, by epoll and by hand, the same for all.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use super::now_ns;
use crate::wake::pin;
use crate::work::raise_fd_limit;

/// `WORK PORT CONNECTIONS CPU`: connects, and does its part until the other end is gone.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let [work, port, connections, cpu] = args else {
        eprintln!("load WORK PORT CONNECTIONS CPU");
        return ExitCode::from(2);
    };
    raise_fd_limit();
    pin(cpu.parse().expect("a number"));
    let port: u16 = port.parse().expect("a number");
    let connections = connections.parse().expect("a number");
    let connect = |_| {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("somebody listens");
        stream.set_nodelay(true).expect("a socket can be");
        stream
    };
    let connections: Vec<_> = (0..connections).map(connect).collect();
    match work.as_str() {
        "flood" => send_stamps(&connections[0]),
        "idle" => until_closed(&connections[0]),
        _ => send_requests(&connections),
    }
    ExitCode::SUCCESS
}

/// Sends a request of 64 bytes on each connection, and each answer as the next request.
fn send_requests(connections: &[TcpStream]) {
    let epoll = epoll::create(CreateFlags::CLOEXEC).expect("an epoll");
    for (at, mut connection) in connections.iter().enumerate() {
        let data = EventData::new_u64(at as u64);
        epoll::add(&epoll, connection, data, EventFlags::IN).expect("added");
        connection.write_all(&[b'e'; 64]).expect("there is room");
    }
    let mut ready = Vec::with_capacity(1024);
    let mut bytes = [0; 256];
    loop {
        ready.clear();
        match epoll::wait(&epoll, spare_capacity(&mut ready), None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("epoll_wait: {error}"),
        }
        for event in &ready {
            let mut connection = &connections[event.data.u64() as usize];
            let Ok(length @ 1..) = connection.read(&mut bytes) else {
                return;
            };
            if connection.write_all(&bytes[..length]).is_err() {
                return;
            }
        }
    }
}

/// As many times as it is told, at uneven intervals, sends what time it is.
fn send_stamps(mut connection: &TcpStream) {
    let mut count = [0; 8];
    while connection.read_exact(&mut count).is_ok() {
        for at in 0..u64::from_ne_bytes(count) {
            let mixed = at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
            thread::sleep(Duration::from_micros(100 + mixed % 300));
            if connection.write_all(&now_ns().to_ne_bytes()).is_err() {
                return;
            }
        }
    }
}

fn until_closed(mut connection: &TcpStream) {
    let _ = connection.read(&mut [0]);
}
