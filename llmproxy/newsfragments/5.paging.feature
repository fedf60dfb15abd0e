`ITokenStore.page` and `IProjectStore.page` read lists in pages, by keyset: as cheap at the end as at the beginning, and stable while rows come and go.
