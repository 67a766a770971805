// What the programs of this page run on, in their hidden lines.

/// An embedded broker on a thread of its own, and the URL of its port. It ends with the program.
fn embedded_broker() -> (leveret::broker::Broker, String) {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let broker = leveret::broker::Broker::new();
            let listener = broker.listen("127.0.0.1:0").await.unwrap();
            sender.send((broker, listener.url())).unwrap();
            std::future::pending::<()>().await;
        });
    });
    receiver.recv().unwrap()
}
