"""The routes: ten lines each; what they do stands in the modules beside this folder."""
