`models:` of an upstream names what it serves: a request goes to an upstream that serves its model, which is looked for in a body on its way too; where none does it gets 404 `model_not_served`.
