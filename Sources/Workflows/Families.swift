import BitplanModels
import BitplanTensors
import Foundation

/// The families that bitplan knows, by `model_type`.
package enum Families {
    /// All of them; a new family is one more entry.
    package static let all: [any ModelFamily.Type] = [
        MarianFamily.self, MarianNativeFamily.self, M2M100Family.self, MBartFamily.self, T5Family.self,
        BertFamily.self, LlamaFamily.self,
    ]

    /// The family of a model directory, packed or not.
    ///
    /// - Throws: `FileError` where config.json is missing or names a type that no family has.
    package static func family(of directory: URL) throws(FileError) -> any ModelFamily.Type {
        let type = try modelType(of: directory)
        guard let family = all.first(where: { $0.modelTypes.contains(type) }) else {
            let known = all.flatMap { $0.modelTypes }.sorted().joined(separator: ", ")
            throw FileError(
                directory.appending(path: "config.json"),
                "model_type '\(type)' is not supported: expected one of \(known)")
        }
        return family
    }
}
