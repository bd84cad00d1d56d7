import Foundation
import TestSupport
import Testing

@Suite struct VersionTests {
    @Test func printsItsVersion() throws {
        let process = Process()
        process.executableURL = TestFiles.root.appending(path: ".build/release/bitplan")
        process.arguments = ["--version"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(text.hasPrefix("bitplan "))
    }
}
