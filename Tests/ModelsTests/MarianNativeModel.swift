import BitplanModels
import BitplanTensors
import Foundation
import TestSupport

/// A model directory in Marian's own format, made of the random goldens (Scripts/goldens/marian_native.py),
/// in which a test may change anything.
final class MarianNativeModel {
    static let goldens = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/marian-native")

    let directory = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString)")

    /// A directory with a file of a golden, under its own name, and the vocabularies.
    init(_ golden: String = "ssru", _ file: String = "model.npz") throws {
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try copy("\(golden)/\(file)", to: file)
        if golden == "split" {
            try copy("vocab.spm", to: "srcvocab.xxyy.spm")
            try copy("trgvocab.spm", to: "trgvocab.xxyy.spm")
        } else {
            try copy("vocab.spm", to: "vocab.xxyy.spm")
        }
    }

    deinit { try? FileManager.default.removeItem(at: directory) }

    func file(_ name: String) -> URL { directory.appending(path: name) }

    func copy(_ golden: String, to name: String) throws {
        try FileManager.default.copyItem(at: Self.goldens.appending(path: golden), to: file(name))
    }

    func write(_ text: String, to name: String) throws { try Data(text.utf8).write(to: file(name)) }

    /// Puts bytes of the same number in the place of others, wherever they are in a file.
    func replace(_ old: String, _ new: String, in name: String) throws {
        precondition(old.utf8.count == new.utf8.count, "another length")
        var data = try Data(contentsOf: file(name))
        while let range = data.range(of: Data(old.utf8)) { data.replaceSubrange(range, with: Data(new.utf8)) }
        try data.write(to: file(name))
    }

    /// The directory, opened.
    func open() throws -> Model<MarianNativeFamily> { try Model<MarianNativeFamily>(directory: directory) }
}
