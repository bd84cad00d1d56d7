import BitplanModels
import Foundation
import TestSupport

/// Tiny encoder-decoders with random weights (Scripts/goldens/encoder_decoders.py).
enum EncoderDecoderModel {
    static let names = [
        "marian-separate", "marian-untied", "marian-output", "tiny-m2m100", "tiny-nllb", "tiny-mbart50",
        "tiny-t5", "tiny-t5-v1_1",
    ]

    static func directory(_ name: String) -> URL {
        TestFiles.root.appending(path: "Tests/ModelsTests/Goldens/\(name)")
    }

    static func family(_ name: String) -> any ModelFamily.Type {
        switch name {
        case "tiny-m2m100", "tiny-nllb": M2M100Family.self
        case "tiny-mbart50": MBartFamily.self
        case "tiny-t5", "tiny-t5-v1_1": T5Family.self
        default: MarianFamily.self
        }
    }
}
