import ArgumentParser

struct Auto: ParsableCommand {
    func run() throws {}
}
