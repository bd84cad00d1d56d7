/// Element types of the tensors in safetensors files that bitplan reads or writes.
package enum ElementType: String, Sendable, Codable {
    case float32 = "F32"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case uint8 = "U8"
    case int8 = "I8"
    case int32 = "I32"
    case int64 = "I64"

    /// Bytes of one element.
    package var sizeInBytes: Int {
        switch self {
        case .float32, .int32: 4
        case .float16, .bfloat16: 2
        case .uint8, .int8: 1
        case .int64: 8
        }
    }
}
