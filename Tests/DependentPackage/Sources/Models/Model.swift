/// A model of the application; a room of bitplan has the name of this module too.
public struct Model {
    /// What it is called.
    public let name: String

    /// A model of a name.
    public init(name: String) { self.name = name }
}
