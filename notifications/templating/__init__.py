"""Templates that staff edit in the admin, and what those and the repository's files share.

| module | what it is |
|---|---|
| library | plurals, dates and money by locale: tags and filters of both kinds of templates |
| plain | contexts as plain data: nothing that could be called or walked |
| sandbox | the engine of edited templates: few tags, few filters, declared files |
| expressions | variables, looked up in plain data only, and their filters |
| nodes, budget | how much one rendering may do, and who pays for it |
| files | the engine of the repository's templates |
| shapes, lookups | which variables there are, and which of a template's are not |
| samples | real events, to check and to preview with |
| examination | everything that is wrong with a text before it is published |
| published | what is published now, as this process last saw it |
| places | every event type, channel and language, and what is in use there |
| editing | the verbs: save, publish, roll back, take back |
| exchange | versions as files, and files as drafts |
| previews, trials | how it looks, and a test that is really sent |
"""
