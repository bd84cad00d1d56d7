import BitplanCommand

@main
enum Main {
    static func main() { Program.main() }
}
