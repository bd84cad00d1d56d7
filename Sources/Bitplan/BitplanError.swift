import Foundation

/// What is wrong, in one line that says what, where, what was expected and what was found.
public struct BitplanError: Error, CustomStringConvertible, LocalizedError {
    /// The line.
    public let description: String

    /// The line.
    public var errorDescription: String? { description }

    /// An error with its line.
    public init(_ description: String) { self.description = description }
}

/// Runs `body`; whatever it throws becomes a `BitplanError`.
func describingErrors<Value>(_ body: () throws -> Value) throws(BitplanError) -> Value {
    do {
        return try body()
    } catch let error as BitplanError {
        throw error
    } catch {
        throw BitplanError("\(error)")
    }
}
