`meter: off` of an API leaves its answers unread, `meter: on` reads them for what they used whatever its vendor.
