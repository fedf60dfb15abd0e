Every command of ``llmproxy project``, ``llmproxy cache purge --project`` and ``llmproxy audit list --project`` takes the name of a project as well as its id.
