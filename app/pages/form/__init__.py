"""Forms made of the inputs that a process describes. Pure: a schema becomes fields, and a field does three things.

It fills itself in with a value, and reads it back; and it begins with what is to be there at first. What a form holds
are entries, as a browser posts them: `inputs/aoi:west`, `inputs/bands/0`. Path parts are percent-encoded, so that no
name of an input or a member is mistaken for the form's own `:row`, `:on`, `:variant`.
"""
