/// A stage that was asked for something impossible.
package struct UsageError: Error, CustomStringConvertible {
    /// The line.
    package let description: String

    /// An error with its line.
    package init(_ description: String) { self.description = description }
}
