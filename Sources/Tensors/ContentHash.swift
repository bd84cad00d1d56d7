import CBitplanCrypto
import Foundation

/// SHA-256 of named contents: the one hash behind identities of models and keys of measurements.
///
/// A line before each content says its name and how long it is, so that different contents never make the
/// same bytes: two files are not the same as one file that holds both.
/// - Source: FIPS 180-4; computed by OpenSSL's libcrypto.
package final class ContentHash {
    private let context = EVP_MD_CTX_new()

    /// A hash of nothing yet.
    package init() { EVP_DigestInit_ex(context, EVP_sha256(), nil) }

    deinit { EVP_MD_CTX_free(context) }

    /// Adds a content: its name and its number of bytes in a line, then the bytes.
    package func add(_ name: String, _ content: Data) {
        update(Data("\(name) \(content.count)\n".utf8))
        update(content)
    }

    /// Adds a tensor: its name and its shape in a line, then its values as FP32 in this machine's byte order.
    ///
    /// - Shapes: `values` has as many numbers as `shape` says.
    package func add(_ name: String, shape: [Int], _ values: [Float]) {
        precondition(values.count == shape.reduce(1, *), "values of another shape")
        update(Data("\(name) \(shape)\n".utf8))
        values.withUnsafeBytes { bytes in _ = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) }
    }

    private func update(_ data: Data) {
        data.withUnsafeBytes { bytes in _ = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) }
    }

    /// The hash of all that was added, 64 hexadecimal digits; nothing may be added behind it.
    package func finish() -> String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        EVP_DigestFinal_ex(context, &digest, &count)
        return digest.prefix(Int(count)).map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
